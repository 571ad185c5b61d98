import { expect, it, vi } from 'vitest';
import { openTopic } from '../../../src/consume/read-topic.ts';
import { ScriptedGroup, topic } from './scripted-group.ts';

const group = new ScriptedGroup();
vi.mock('../../../src/consume/kafkajs-client.ts', () => ({ createClient: () => group.client }));

it('tells where a log begins, wherever the reading does', async () => {
  group.ends = { low: '3', high: '9' };
  const options = {
    topic,
    bootstrapBrokers: '127.0.0.1:1',
    auth: { type: 'none' },
    tls: false,
  } as const;
  for (const [from, start] of [
    ['earliest', 3n],
    ['latest', 9n],
  ] as const) {
    await using reader = await openTopic(options, { from });
    expect(reader.partitions).toEqual(
      [0, 1].map((partition) => ({ partition, low: 3n, start, end: 9n })),
    );
  }
});
