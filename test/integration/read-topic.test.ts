import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { type ConsumedRecord, readTopic } from '../../src/consume/read-topic.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { newTopic, plainOptions } from './topic-content.ts';

const stack = sharedStack();

/** `count` records a partition, their number as value, one second of event time apart. */
async function fill(
  topic: string,
  count: number,
  partitions: number,
  firstTime = 0,
): Promise<void> {
  const { topic: _, ...connection } = plainOptions(topic);
  await using logger = new DiasporaLogger(connection);
  const sent = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    for (let i = 0; i < count; i += 1) {
      const timestamp = firstTime === 0 ? Date.now() : firstTime + i * 1_000;
      sent.push(logger.send(topic, String(i), { partition, timestamp }));
    }
  }
  await Promise.all(sent);
}

async function all(records: AsyncIterable<ConsumedRecord>): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = [];
  for await (const record of records) found.push(record);
  return found;
}

const places = (records: readonly ConsumedRecord[]): string[] =>
  records.map(({ partition, offset }) => `${partition}/${offset}`).toSorted();

/** What the brokers know of each reader's group: one without members and offsets is removed by itself, at the next clean-up. */
async function readerGroups(topic: string): Promise<{ members: number; offsets: number }[]> {
  const brokers = stack.bootstrap('INTERNAL').split(',');
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const { groups } = await admin.listGroups();
    const ids = groups
      .map(({ groupId }) => groupId)
      .filter((id) => id.startsWith('diaspora-logger-reader-'));
    const { groups: described } = await admin.describeGroups(ids);
    return await Promise.all(
      described.map(async ({ groupId, members }) => {
        const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
        const offsets = found?.partitions.filter(({ offset }) => offset !== '-1') ?? [];
        return { members: members.length, offsets: offsets.length };
      }),
    );
  } finally {
    await admin.disconnect();
  }
}

describe('Reading a topic', () => {
  it('ends where the topic ended when it began, and commits nothing', async () => {
    const topic = await newTopic('read-topic', 3);
    await fill(topic, 5, 2);
    const reading = readTopic(plainOptions(topic), { from: 'earliest', to: 'end' });
    const first = await reading.next();
    // What is sent from now on is not among it.
    await fill(topic, 5, 3);
    const rest = await all(reading);
    const found = first.done ? rest : [first.value, ...rest];
    expect(places(found)).toEqual(
      [0, 1].flatMap((partition) => [0, 1, 2, 3, 4].map((offset) => `${partition}/${offset}`)),
    );
    const again = await all(readTopic(plainOptions(topic), { from: 'earliest', to: 'end' }));
    expect(again).toHaveLength(25);
    const groups = await readerGroups(topic);
    expect(groups.length).toBeGreaterThan(0);
    expect(groups.filter(({ members, offsets }) => members + offsets > 0)).toEqual([]);
  });

  it('ends at once where there is nothing', async () => {
    const topic = await newTopic('read-topic', 2);
    expect(await all(readTopic(plainOptions(topic), { from: 'earliest', to: 'end' }))).toEqual([]);
    await fill(topic, 3, 2);
    expect(await all(readTopic(plainOptions(topic), { from: 'latest', to: 'end' }))).toEqual([]);
  });

  it('ends behind the marks of transactions, which are no records', async () => {
    const topic = await newTopic('read-topic');
    const brokers = stack.bootstrap('INTERNAL').split(',');
    const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
    const producer = kafka.producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const write = async (
      value: string,
    ): Promise<Awaited<ReturnType<typeof producer.transaction>>> => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      return transaction;
    };
    // Brokers answer a commit or an abort before they have written its mark, and end what can be read before that.
    const marked = (end: bigint): Promise<void> =>
      expect.poll(async () => (await stack.endOffsets(topic)).get(0)).toBe(end);
    const read = async (): Promise<string[]> =>
      (await all(readTopic(plainOptions(topic), { from: 'earliest', to: 'end' }))).map(
        ({ value }) => String(value),
      );
    try {
      await (await write('kept')).commit();
      await marked(2n);
      expect(await read()).toEqual(['kept']);
      await (await write('given up')).abort();
      await marked(4n);
      expect(await read()).toEqual(['kept']);
    } finally {
      await producer.disconnect();
    }
  });

  it('begins and ends at times', async () => {
    const topic = await newTopic('read-topic', 2);
    const time = Date.now() - 100_000;
    await fill(topic, 10, 2, time);
    const between = await all(
      readTopic(plainOptions(topic), {
        from: { time: time + 2_500 },
        to: { time: time + 6_000 },
      }),
    );
    expect(places(between)).toEqual(['0/3', '0/4', '0/5', '1/3', '1/4', '1/5']);
    const after = readTopic(plainOptions(topic), { from: { time: Date.now() }, to: 'end' });
    expect(await all(after)).toEqual([]);
  });

  it('begins at offsets, and leaves out partitions that are not named', async () => {
    const topic = await newTopic('read-topic', 3);
    await fill(topic, 5, 3);
    const offsets = new Map([[2, 3n]]);
    const found = await all(readTopic(plainOptions(topic), { from: { offsets }, to: 'end' }));
    expect(places(found)).toEqual(['2/3', '2/4']);
  });

  it('reads what is sent from now on until its signal', async () => {
    const topic = await newTopic('read-topic');
    await fill(topic, 5, 1);
    const stop = new AbortController();
    const reading = readTopic(plainOptions(topic), {
      from: { time: Date.now() + 1 },
      signal: stop.signal,
    });
    const first = reading.next();
    await fill(topic, 5, 1);
    expect(await first).toMatchObject({ done: false });
    const rest = all(reading);
    stop.abort();
    await rest;
  });

  it('says that there is no such topic', async () => {
    const topic = uniqueTopic('missing');
    const reading = readTopic(plainOptions(topic), { from: 'earliest', to: 'end' });
    await expect(reading.next()).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: `Topic ${topic} does not exist: check the spelling; else create or claim it.`,
    });
  });
});
