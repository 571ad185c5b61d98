/** A reading to an end that does not come; `test/integration/read-topic.test.ts` has real brokers. */
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ClientEvents } from '../../../src/consume/kafkajs-client.ts';
import { openTopic, type TopicReader } from '../../../src/consume/read-topic.ts';
import type { ConnectionOptions } from '../../../src/options.ts';
import { ScriptedGroup, topic } from './scripted-group.ts';

let group = new ScriptedGroup();
vi.mock('../../../src/consume/kafkajs-client.ts', () => ({
  createClient: (_options: unknown, _signIn: unknown, events?: ClientEvents) =>
    group.clientWith(events),
}));

/** As long as requests may take, and some more. */
const silenceMs = 35_000;

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

/** Of both partitions there are the offsets below `high`, of which the first of partition 0 has come. */
async function reading(high = 2): Promise<{
  readonly reader: TopicReader;
  readonly next: () => Promise<string | undefined>;
  /** Partitions of which something was deleted before it was read. */
  readonly cut: readonly number[];
}> {
  group = new ScriptedGroup();
  group.ends = { low: '0', high: String(high) };
  const cut: number[] = [];
  const reader = await openTopic(
    {
      topic,
      bootstrapBrokers: '127.0.0.1:1',
      auth: { type: 'none' },
      tls: false,
      diagnostics: 'silent',
    },
    { from: 'earliest', to: 'end', onCut: (partition) => void cut.push(partition) },
  );
  onTestFinished(async () => {
    vi.useRealTimers();
    await reader.close();
  });
  const records = reader.records();
  const next = async (): Promise<string | undefined> => {
    const { value } = await records.next();
    return value ? `${value.partition}:${value.offset}` : undefined;
  };
  const first = next();
  await vi.advanceTimersByTimeAsync(100);
  void group.fetched(0, [{ offset: 0 }]);
  expect(await first).toBe('0:0');
  return { reader, next, cut };
}

/** As brokers that answer, and hold no record. */
async function pass(milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 5_000) {
    group.answered();
    await vi.advanceTimersByTimeAsync(Math.min(left, 5_000));
  }
}

const outcomeOf = (next: Promise<string | undefined>): Promise<unknown> =>
  next.catch((error: unknown) => error);

describe('A reading to the end of a topic', () => {
  it('ends with an error where nothing comes any more', async () => {
    const { next } = await reading();
    const outcome = outcomeOf(next());
    await pass(silenceMs + 100);
    expect(await outcome).toMatchObject({
      code: 'END_NOT_REACHED',
      message: expect.stringContaining(
        'the offsets of partitions 0 from 1 to 1, 1 from 0 to 1 are',
      ),
    });
  });

  it('ends where the rest is deleted before it is read, and tells that', async () => {
    const { next, cut } = await reading(10);
    group.ends = { low: '12', high: '15' };
    const end = next();
    group.outOfRange(0);
    group.outOfRange(1);
    expect(await end).toBeUndefined();
    expect(cut).toEqual([0, 1]);
  });

  it('goes on while it moves over what holds no record', async () => {
    const { reader, next } = await reading(9);
    reader.pause(1);
    const second = next();
    for (let last = 1; last < 8; last += 1) {
      await pass(silenceMs - 5_000);
      void group.fetched(0, [], last);
    }
    await pass(silenceMs - 5_000);
    void group.fetched(0, [{ offset: 8 }]);
    expect(await second).toBe('0:8');
    const outcome = outcomeOf(next());
    reader.resume(1);
    await pass(silenceMs + 100);
    expect(await outcome).toMatchObject({ code: 'END_NOT_REACHED' });
  });

  it('waits as long as whoever paused what is left of it', async () => {
    const { reader, next } = await reading();
    const second = next();
    reader.pause(1);
    reader.pause(0);
    await pass(10 * silenceMs);
    reader.resume(0);
    await pass(silenceMs - 1_000);
    void group.fetched(0, [{ offset: 1 }]);
    expect(await second).toBe('0:1');
    // Only a paused one is left.
    const third = next();
    await pass(10 * silenceMs);
    reader.resume(1);
    await vi.advanceTimersByTimeAsync(0);
    void group.fetched(1, [{ offset: 0 }, { offset: 1 }]);
    expect([await third, await next(), await next()]).toEqual(['1:0', '1:1', undefined]);
  });

  it('ends where each partition ends in the mark of a transaction', async () => {
    const { next } = await reading();
    const second = next();
    void group.fetched(1, [{ offset: 0 }], 1);
    expect(await second).toBe('1:0');
    const third = next();
    void group.fetched(0, [], 1);
    expect(await third).toBeUndefined();
  });

  it('ends with an error where what was resumed does not come', async () => {
    const { reader, next } = await reading();
    const outcome = outcomeOf(next());
    reader.pause(0);
    reader.pause(1);
    await pass(silenceMs);
    reader.resume(1);
    await pass(silenceMs + 100);
    expect(await outcome).toMatchObject({ code: 'END_NOT_REACHED' });
  });
});

describe('A refused sign-in', () => {
  /** The brokers refuse whatever they are shown. Answers how often they were asked. */
  async function askedWith(auth: ConnectionOptions['auth']): Promise<number> {
    let asked = 0;
    group = new ScriptedGroup();
    group.onEnds = async () => {
      asked += 1;
      throw Object.assign(new Error('refused'), { name: 'KafkaJSSASLAuthenticationError' });
    };
    const options = { topic, bootstrapBrokers: '127.0.0.1:1', tls: false } as const;
    await expect(openTopic({ ...options, ...(auth && { auth }) })).rejects.toMatchObject({
      code: 'SIGN_IN_REFUSED',
    });
    return asked;
  }

  it('is not repeated with the same password', async () => {
    expect(await askedWith({ type: 'scram', username: 'ada', password: 'wrong' })).toBe(1);
  });

  it('is repeated with what is signed anew', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await askedWith({ type: 'aws-iam', region: 'us-east-1' })).toBe(2);
  });
});
