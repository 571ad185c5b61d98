import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { inspect } from 'node:util';
import * as zlib from 'node:zlib';
import kafkajs from 'kafkajs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ConsumedRecord, DiasporaConsumer } from '../../src/consume/consumer.ts';
import { type DiagnosticEvent, diagnosticsChannelName } from '../../src/diagnostics.ts';
import type { ConsumerOptions, ProducerOptions } from '../../src/options.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { newTopic, plainOptions } from './topic-content.ts';

const stack = sharedStack();
const polling = { timeout: 20_000 };

function plain(topic: string): ConsumerOptions {
  return { ...plainOptions(topic), groupId: uniqueTopic('group'), autoOffsetReset: 'earliest' };
}

async function fill(topic: string, count: number, options: ProducerOptions = {}): Promise<void> {
  const { topic: _, ...connection } = plainOptions(topic);
  await using logger = new DiasporaLogger({ ...connection, ...options });
  await Promise.all(
    Array.from({ length: count }, (_, i) => logger.send(topic, String(i), { partition: 0 })),
  );
}

/** As retention does. A topic's new leader may refuse at first. */
async function deleteBefore(topic: string, offset: string): Promise<void> {
  const brokers = stack.bootstrap('INTERNAL').split(',');
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    // kafkajs knows no partitions of a topic that it was not asked about before.
    await admin.fetchTopicOffsets(topic);
    const partitions = [{ partition: 0, offset }];
    await expect
      .poll(
        () => admin.deleteTopicRecords({ topic, partitions }).then(() => 'done', String),
        polling,
      )
      .toBe('done');
  } finally {
    await admin.disconnect();
  }
}

/** What the group has committed of partition 0. */
async function committed(groupId: string, topic: string): Promise<string | undefined> {
  const brokers = stack.bootstrap('INTERNAL').split(',');
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return found?.partitions.find(({ partition }) => partition === 0)?.offset;
  } finally {
    await admin.disconnect();
  }
}

function collectDiagnostics(): DiagnosticEvent[] {
  const seen: DiagnosticEvent[] = [];
  const note = (event: unknown): void => void seen.push(event as DiagnosticEvent);
  subscribe(diagnosticsChannelName, note);
  onTestFinished(() => void unsubscribe(diagnosticsChannelName, note));
  return seen;
}

async function take(consumer: DiasporaConsumer, count: number): Promise<ConsumedRecord[]> {
  const found: ConsumedRecord[] = [];
  if (count === 0) return found;
  for await (const record of consumer) {
    found.push(record);
    if (found.length === count) break;
  }
  return found;
}

const numbers = (records: readonly ConsumedRecord[]): number[] =>
  records.map(({ value }) => Number(value));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

describe('The consumer', () => {
  it('reads records as they were sent', async () => {
    const topic = await newTopic('consumer');
    const { topic: _, ...connection } = plainOptions(topic);
    await using logger = new DiasporaLogger(connection);
    const headers = { trace: 'ä', bytes: Buffer.from([0, 255]) };
    const timestamp = 1_700_000_000_000;
    await logger.send(topic, Buffer.from([0, 1, 255]), { key: 'schlüssel', headers, timestamp });
    await logger.send(topic, null, { timestamp });
    await using consumer = new DiasporaConsumer(plain(topic));
    expect(await take(consumer, 2)).toEqual([
      {
        topic,
        partition: 0,
        offset: 0n,
        key: Buffer.from('schlüssel'),
        value: Buffer.from([0, 1, 255]),
        headers: [
          ['trace', Buffer.from('ä')],
          ['bytes', Buffer.from([0, 255])],
        ],
        timestamp,
      },
      { topic, partition: 0, offset: 1n, key: null, value: null, headers: [], timestamp },
    ]);
  });

  it('starts at the end by default, and reads what is sent once it has its partitions', async () => {
    const topic = await newTopic('consumer', 2);
    await fill(topic, 10);
    const { autoOffsetReset: _, ...options } = plain(topic);
    await using consumer = new DiasporaConsumer(options);
    const [partitions] = await once(consumer, 'assigned');
    expect(partitions).toEqual([
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]);
    await fill(topic, 1);
    const [record] = await take(consumer, 1);
    expect(record?.offset).toBe(10n);
  });

  it('skips nothing where the member before has read nothing', async () => {
    const topic = await newTopic('consumer');
    const { autoOffsetReset: _, ...options } = plain(topic);
    {
      await using consumer = new DiasporaConsumer(options);
      await once(consumer, 'assigned');
    }
    await fill(topic, 10);
    await using next = new DiasporaConsumer(options);
    expect(numbers(await take(next, 10))).toEqual(range(0, 10));
  });

  it('commits by itself only what the iteration has gone past', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    const options = plain(topic);
    {
      await using consumer = new DiasporaConsumer(options);
      expect(numbers(await take(consumer, 4))).toEqual(range(0, 4));
    }
    await using again = new DiasporaConsumer(options);
    expect(numbers(await take(again, 7))).toEqual(range(3, 10));
  });

  it('commits nothing by itself where that is off, and one record when told to', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    const options = { ...plain(topic), autoCommit: false };
    {
      await using consumer = new DiasporaConsumer(options);
      const records = await take(consumer, 8);
      const fifth = records[4];
      if (fifth) await consumer.commit(fifth);
    }
    await using again = new DiasporaConsumer(options);
    expect(numbers(await take(again, 5))).toEqual(range(5, 10));
    await again.commit();
    await again.close();
    await fill(topic, 1);
    await using third = new DiasporaConsumer(options);
    expect((await take(third, 1))[0]?.offset).toBe(10n);
  });

  it('goes on where it is sent', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    await using consumer = new DiasporaConsumer(plain(topic));
    const partition = { topic, partition: 0 };
    const found: number[] = [];
    for await (const { offset } of consumer) {
      found.push(Number(offset));
      if (found.length === 3) consumer.seek(partition, 7n);
      if (found.length === 6) consumer.seek(partition, 'earliest');
      if (found.length === 8) break;
    }
    expect(found).toEqual([0, 1, 2, 7, 8, 9, 0, 1]);
  });

  it('goes on at the ends that the log has', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    await deleteBefore(topic, '5');
    const { autoOffsetReset: _, ...options } = plain(topic);
    await using consumer = new DiasporaConsumer({ ...options, autoCommit: false });
    const partition = { topic, partition: 0 };
    consumer.seek(partition, 'earliest');
    const found: number[] = [];
    for await (const { offset } of consumer) {
      found.push(Number(offset));
      if (found.length === 2) break;
    }
    consumer.seek(partition, 'latest');
    const reading = take(consumer, 1);
    let last: ConsumedRecord[] | null = null;
    void reading.then((records) => {
      last = records;
    });
    // The end is looked up in the background.
    while (!last) await fill(topic, 1);
    found.push(Number((await reading)[0]?.offset));
    expect(found.slice(0, 2)).toEqual([5, 6]);
    expect(found[2]).toBeGreaterThanOrEqual(10);
  });

  it('reads all that is left of a log that is cut while it is behind, and commits nothing', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    const options = { ...plain(topic), autoCommit: false, diagnostics: 'silent' };
    const seen = collectDiagnostics();
    await using consumer = new DiasporaConsumer(options);
    await take(consumer, 10);
    await consumer.commit();
    for (const [low, high] of [
      [15, 20],
      [27, 30],
    ] as const) {
      consumer.pause();
      await fill(topic, 10);
      await deleteBefore(topic, String(low));
      consumer.resume();
      const left = await take(consumer, high - low);
      expect(left.map(({ offset }) => Number(offset))).toEqual(range(low, high));
    }
    expect(await committed(options.groupId, topic)).toBe('10');
    const moves = seen.filter(({ code }) => code === 'OFFSET_OUT_OF_RANGE');
    expect(moves.map(({ detail }) => detail)).toEqual([
      { groupId: options.groupId, topic, partition: 0, from: '10', to: '15' },
      { groupId: options.groupId, topic, partition: 0, from: '20', to: '27' },
    ]);
    expect(seen.filter(({ code }) => code === 'CONSUMER_RESTARTED')).toEqual([]);
  });

  it('keeps the end at which it goes on where its place is deleted: the next one skips nothing', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    const options = { ...plain(topic), diagnostics: 'silent' };
    {
      await using consumer = new DiasporaConsumer(options);
      await take(consumer, 4);
    }
    await deleteBefore(topic, '8');
    const latest = { ...options, autoOffsetReset: 'latest' } as const;
    const seen = collectDiagnostics();
    {
      await using _consumer = new DiasporaConsumer(latest);
      await expect.poll(() => committed(options.groupId, topic), polling).toBe('10');
    }
    expect(seen.find(({ code }) => code === 'OFFSET_OUT_OF_RANGE')?.message).toContain(
      'it was at offset 3, and the log begins at 8. It goes on at 10',
    );
    await fill(topic, 3);
    await using next = new DiasporaConsumer(latest);
    expect((await take(next, 3)).map(({ offset }) => Number(offset))).toEqual([10, 11, 12]);
  });

  it('stays in its group where all its places are gone at once', async () => {
    const count = 8;
    const topic = await newTopic('consumer', count);
    const { topic: _, ...connection } = plainOptions(topic);
    await using logger = new DiasporaLogger(connection);
    const all = range(0, count);
    await Promise.all(all.map((partition) => logger.send(topic, String(partition), { partition })));
    const seen = collectDiagnostics();
    await using consumer = new DiasporaConsumer({ ...plain(topic), diagnostics: 'silent' });
    for (const partition of all) consumer.seek({ topic, partition }, 1_000n);
    expect(numbers(await take(consumer, count)).sort()).toEqual(all);
    const codes = seen.map(({ code }) => code);
    expect(codes.filter((code) => code === 'CONNECTED')).toHaveLength(1);
    expect(codes.filter((code) => code === 'OFFSET_OUT_OF_RANGE')).toHaveLength(count);
  });

  it('reads a header that is named as what every object has', async () => {
    const topic = await newTopic('consumer');
    const { topic: _, ...connection } = plainOptions(topic);
    await using logger = new DiasporaLogger(connection);
    const headers = JSON.parse('{"constructor":"1","__proto__":"2","toString":"3"}');
    await logger.send(topic, 'x', { headers });
    await using consumer = new DiasporaConsumer(plain(topic));
    const [record] = await take(consumer, 1);
    expect(record?.headers.map(([name, value]) => [name, String(value)])).toEqual(
      Object.entries(headers),
    );
  });

  it('gives nothing of a partition that is paused', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 10);
    await using consumer = new DiasporaConsumer(plain(topic));
    expect(numbers(await take(consumer, 3))).toEqual([0, 1, 2]);
    consumer.pause();
    const whilePaused = new AbortController();
    const reading = consumer.records({ signal: whilePaused.signal }).next();
    // Long enough for several fetches, had they been made.
    await fill(topic, 1);
    whilePaused.abort();
    expect(await reading).toEqual({ done: true, value: undefined });
    consumer.resume();
    expect(numbers(await take(consumer, 7))).toEqual(range(3, 10));
  });

  it('ends its iteration when it is closed, or its signal aborted', async () => {
    const topic = await newTopic('consumer');
    const closing = new DiasporaConsumer(plain(topic));
    const closed = closing.records().next();
    await closing.close();
    expect((await closed).done).toBe(true);
    const controller = new AbortController();
    await using consumer = new DiasporaConsumer(plain(topic), { signal: controller.signal });
    const aborted = consumer.records().next();
    controller.abort();
    expect((await aborted).done).toBe(true);
  });

  it('is read by one iteration at a time', async () => {
    const topic = await newTopic('consumer');
    await using consumer = new DiasporaConsumer(plain(topic));
    const first = consumer.records().next();
    await expect(consumer.records().next()).rejects.toMatchObject({ code: 'ALREADY_READING' });
    await consumer.close();
    await first;
  });

  it('shares partitions with the other members of its group', async () => {
    const topic = await newTopic('consumer', 4);
    const options = plain(topic);
    await using first = new DiasporaConsumer(options);
    await once(first, 'assigned');
    const shared = once(first, 'assigned');
    await using second = new DiasporaConsumer(options);
    const [own] = await once(second, 'assigned');
    const [left] = await shared;
    expect([...own, ...left].map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
  });

  it('misses nothing when the group shares its partitions anew while a record is in hand', async () => {
    const topic = await newTopic('consumer', 2);
    await fill(topic, 10);
    const options = plain(topic);
    await using first = new DiasporaConsumer(options);
    const records = first.records();
    const found: number[] = [Number((await records.next()).value?.value)];
    // Another member comes and goes, while the first one is busy with its record.
    const second = new DiasporaConsumer(options);
    await once(second, 'assigned');
    const alone = once(first, 'assigned');
    await second.close();
    await alone;
    while (found.at(-1) !== 9) found.push(Number((await records.next()).value?.value));
    // The record in hand was not committed: it comes again where its partition was the other member's for a while.
    expect(found.slice(found[1] === 0 ? 1 : 0)).toEqual(range(0, 10));
  });

  it('waits for a topic that is not there yet', async () => {
    const topic = uniqueTopic('consumer');
    const options = { ...plain(topic), retry: { minMs: 10, maxMs: 200 }, diagnostics: 'silent' };
    await using consumer = new DiasporaConsumer(options);
    const reading = take(consumer, 1);
    await stack.createTopic(topic);
    await fill(topic, 1);
    expect(numbers(await reading)).toEqual([0]);
  });

  it('says what it may not read, and reads it once it may', async () => {
    const topic = uniqueTopic('consumer');
    await stack.createTopic(topic, { owner: 'somebody' });
    const { username, password } = stack.scramUser;
    const seen = collectDiagnostics();
    await using consumer = new DiasporaConsumer({
      bootstrapBrokers: stack.bootstrap('SCRAM'),
      tls: { ca: stack.caFile },
      auth: { type: 'scram', username, password },
      retry: { minMs: 10, maxMs: 200 },
      topic,
      groupId: uniqueTopic('group'),
      autoOffsetReset: 'earliest',
      diagnostics: 'silent',
    });
    const reading = take(consumer, 1);
    await expect
      .poll(() => seen.find(({ code }) => code === 'READ_DENIED'), polling)
      .toMatchObject({
        event: 'retry',
        message: expect.stringContaining(`Topic ${topic} does not exist, or this account may not`),
      });
    await stack.grant(username, { topic }, ['READ', 'DESCRIBE']);
    await fill(topic, 1);
    expect(numbers(await reading)).toEqual([0]);
  });

  it('closes at once while no broker answers', async () => {
    const consumer = new DiasporaConsumer({
      ...plain('absent'),
      bootstrapBrokers: '127.0.0.1:1',
      diagnostics: 'silent',
    });
    await consumer.close();
    await expect(
      consumer.commit({ topic: 'absent', partition: 0, offset: 1n }),
    ).rejects.toMatchObject({ code: 'COMMIT_FAILED' });
  });

  it('reads zstd', async (context) => {
    if (!('zstdDecompress' in zlib)) context.skip('this Node has no zstd');
    const topic = await newTopic('consumer');
    await fill(topic, 100, { compression: 'zstd' });
    await using consumer = new DiasporaConsumer(plain(topic));
    expect(numbers(await take(consumer, 100))).toEqual(range(0, 100));
  });

  it('reads gzip', async () => {
    const topic = await newTopic('consumer');
    await fill(topic, 100, { compression: 'gzip' });
    await using consumer = new DiasporaConsumer(plain(topic));
    expect(numbers(await take(consumer, 100))).toEqual(range(0, 100));
  });
});

describe('The consumer signs in', () => {
  const tls = { ca: stack.caFile };
  const { certFile, keyFile } = stack.clientCertificate;

  it.each<[string, () => Promise<Partial<ConsumerOptions>>]>([
    [
      'by Globus',
      async () => {
        const { refreshToken } = await stack.globus.signIn();
        const { DIASPORA_BOOTSTRAP, DIASPORA_ISSUER } = stack.env;
        const auth = { type: 'globus', issuer: DIASPORA_ISSUER, refreshToken } as const;
        return { bootstrapBrokers: DIASPORA_BOOTSTRAP, tls, auth };
      },
    ],
    [
      'by SCRAM',
      async () => ({
        bootstrapBrokers: stack.bootstrap('SCRAM'),
        tls,
        auth: { type: 'scram', ...stack.scramUser },
      }),
    ],
    [
      'by its certificate',
      async () => ({
        bootstrapBrokers: stack.bootstrap('MTLS'),
        tls: { ...tls, cert: certFile, key: keyFile },
        auth: { type: 'mtls' },
      }),
    ],
  ])('%s', async (_how, connection) => {
    const topic = await newTopic('consumer');
    await fill(topic, 3);
    const options = { ...plain(topic), ...(await connection()) };
    await using consumer = new DiasporaConsumer(options);
    expect(numbers(await take(consumer, 3))).toEqual([0, 1, 2]);
    const seen = inspect(consumer, { depth: 20, showHidden: true });
    const { auth } = options;
    for (const secret of Object.values(auth ?? {}).filter((text) => text.length > 16)) {
      if (secret !== stack.env.DIASPORA_ISSUER) expect(seen).not.toContain(secret);
    }
  });
});
