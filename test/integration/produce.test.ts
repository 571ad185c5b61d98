import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeliveryRecord, Outcome, Stamp } from '../../src/delivery/driver.ts';
import { Diagnostics } from '../../src/diagnostics.ts';
import { type ProducerOptions, resolveProducer, resolveTransport } from '../../src/options.ts';
import { hasCodec } from '../../src/produce/compression.ts';
import { type ClusterConnection, openCluster, openShipper } from '../../src/produce/connect.ts';
import { KafkaDriver } from '../../src/produce/driver.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { runKafkaTool } from '../../stack/java-tools.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import type { StackClient } from '../../stack/stack-client.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';

const stack = sharedStack();
let connection: ClusterConnection;

beforeAll(() => {
  const bootstrapBrokers = stack.bootstrap('INTERNAL');
  connection = connect({ bootstrapBrokers, auth: { type: 'none' }, tls: false });
});

afterAll(() => connection.close());

function connect(options: ProducerOptions): ClusterConnection {
  return openCluster(resolveProducer(options), new Diagnostics());
}

const scram = (): ProducerOptions => ({
  bootstrapBrokers: stack.bootstrap('SCRAM'),
  auth: { type: 'scram', ...stack.scramUser },
  tls: { ca: stack.caFile },
});

async function newTopic(options: Parameters<StackClient['createTopic']>[1] = {}): Promise<string> {
  const topic = uniqueTopic('produce');
  await stack.createTopic(topic, options);
  // A broker tells that it leads a partition a moment before it does.
  await stack.endOffsets(topic);
  return topic;
}

/** A driver that knows its topic, and what a test does with it. */
class Bench {
  readonly driver: KafkaDriver;
  readonly producerId: bigint;
  readonly leader: number;

  private constructor(driver: KafkaDriver, producerId: bigint, leader: number) {
    this.driver = driver;
    this.producerId = producerId;
    this.leader = leader;
  }

  static async open(
    topic: string,
    {
      compression = 'none',
      over = connection,
    }: {
      compression?: 'none' | 'gzip' | 'zstd';
      over?: ClusterConnection;
    } = {},
  ): Promise<Bench> {
    const { cluster, principal } = over;
    const settings = { acks: 'all', compression, requestTimeoutMs: 10_000 } as const;
    const driver = new KafkaDriver({ cluster, topic, principal, ...settings });
    const topology = await driver.topology();
    if (!topology.ok) throw new Error(topology.message);
    const id = await untilGiven(driver);
    return new Bench(driver, id, topology.value.partitions[0]?.leader ?? -1);
  }

  stamp(baseSequence: number, epoch = 0): Stamp {
    return { producerId: this.producerId, epoch, baseSequence };
  }

  async send(
    records: readonly DeliveryRecord[],
    stamp: Stamp | null,
    partition = 0,
  ): Promise<Outcome> {
    const batch = this.driver.newBatch();
    for (const item of records) batch.append(item);
    const [outcome] = await this.driver.send(this.leader, [{ partition, batch, stamp }]);
    batch.release();
    if (!outcome) throw new Error('no outcome');
    return outcome;
  }
}

/** −1 where the broker gives no producer id. A new broker still loads its coordinator for a moment. */
async function untilGiven(driver: KafkaDriver): Promise<bigint> {
  for (;;) {
    const answer = await driver.initProducerId();
    if (answer.ok) return answer.value?.producerId ?? -1n;
    if (!answer.message.includes('COORDINATOR')) throw new Error(answer.message);
  }
}

function record(value: string | Buffer | null, more: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return { key: null, value, headers: [], timestamp: Date.now(), ...more };
}

async function read(topic: string): Promise<TopicRecord[]> {
  const found: TopicRecord[] = [];
  for await (const item of stack.readTopic(topic)) found.push(item);
  return found;
}

const asBytes = (field: string | Buffer | null): Buffer | null =>
  field === null ? null : Buffer.from(field);

const varied: readonly DeliveryRecord[] = [
  record('plain', { timestamp: 1_700_000_000_123 }),
  record('über 漢字 😀', { key: 'schlüssel', timestamp: 1_700_000_000_000 }),
  record(Buffer.from([0, 255, 128]), { key: Buffer.from([1]), timestamp: 1_600_000_000_000 }),
  record(null, { key: 'tombstone' }),
  record('', {
    key: '',
    headers: [
      ['empty', ''],
      ['source-id', Buffer.from([9])],
      ['empty', 'again'],
    ],
  }),
  record('x'.repeat(300_000)),
  record('é'.repeat(8_191)),
];

describe('batches', () => {
  const codecs = (['none', 'gzip', 'zstd'] as const).filter(hasCodec);

  it.each(codecs)(
    "are what Java's consumer reads, and what Kafka's own tools accept: %s",
    async (compression) => {
      const topic = await newTopic();
      const bench = await Bench.open(topic, { compression });
      const lines = Array.from({ length: 2_000 }, (_, index) =>
        record(`a line like others, ${index}`),
      );
      const sent = [...varied, ...lines];
      expect(await bench.send(sent, bench.stamp(0))).toMatchObject({
        kind: 'acknowledged',
        baseOffset: 0n,
      });

      const found = await read(topic);
      expect(found).toHaveLength(sent.length);
      for (const [index, item] of sent.entries()) {
        expect(found[index]).toEqual({
          partition: 0,
          offset: BigInt(index),
          timestamp: item.timestamp,
          key: asBytes(item.key),
          value: asBytes(item.value),
          headers: item.headers.map(([name, value]) => [name, asBytes(value)]),
        });
      }

      const data = join(stack.directory, 'kafka', 'broker-1', 'data');
      const segment = join(data, `${topic}-0`, '00000000000000000000.log');
      const { stdout } = await runKafkaTool('org.apache.kafka.tools.DumpLogSegments', [
        '--deep-iteration',
        '--print-data-log',
        '--files',
        segment,
      ]);
      expect(stdout).toContain(
        `count: ${sent.length} baseSequence: 0 lastSequence: ${sent.length - 1}`,
      );
      expect(stdout).toContain(`compresscodec: ${compression} `);
      expect(stdout).toContain('isvalid: true');
      expect(stdout).toContain('payload: über 漢字 😀');
    },
  );

  it('of several partitions go in one request, and each has its own answer', async () => {
    const topic = await newTopic({ partitions: 2 });
    const bench = await Bench.open(topic);
    const batches = [record('zero'), record('one'), record('nowhere')].map((item) => {
      const batch = bench.driver.newBatch();
      batch.append(item);
      return batch;
    });
    const parts = batches.map((batch, partition) => ({ partition, batch, stamp: bench.stamp(0) }));
    expect(await bench.driver.send(bench.leader, parts)).toMatchObject([
      { kind: 'acknowledged', baseOffset: 0n },
      { kind: 'acknowledged', baseOffset: 0n },
      { kind: 'retriable', code: 'TOPIC_UNKNOWN', staleTopology: true },
    ]);
    const found = await read(topic);
    expect(found.map(({ value }) => value?.toString()).sort()).toEqual(['one', 'zero']);
  });

  it('tell the time of the broker where the topic keeps that', async () => {
    const topic = await newTopic({ config: { 'message.timestamp.type': 'LogAppendTime' } });
    const bench = await Bench.open(topic);
    const outcome = await bench.send(
      [record('x', { timestamp: 1_000_000_000_000 })],
      bench.stamp(0),
    );
    expect(outcome).toMatchObject({ kind: 'acknowledged', logAppendTime: expect.any(Number) });
  });
});

describe('a stamp', () => {
  it('makes a batch that is sent again the same one, with its first offset and its own time', async () => {
    const bench = await Bench.open(await newTopic());
    const batch = [record('a'), record('b')];
    const stored = { kind: 'acknowledged', baseOffset: 0n, logAppendTime: null };
    expect(await bench.send(batch, bench.stamp(0))).toEqual(stored);
    expect(await bench.send([record('c')], bench.stamp(2))).toMatchObject({ baseOffset: 2n });
    expect(await bench.send(batch, bench.stamp(0))).toEqual(stored);
  });

  it('that leaves a gap is lost', async () => {
    const bench = await Bench.open(await newTopic());
    await bench.send([record('a')], bench.stamp(0));
    expect(await bench.send([record('b')], bench.stamp(5))).toMatchObject({ kind: 'sequenceLost' });
  });

  it('is fenced by a newer epoch', async () => {
    const bench = await Bench.open(await newTopic());
    await bench.send([record('old')], bench.stamp(0));
    expect(await bench.send([record('new')], bench.stamp(0, 1))).toMatchObject({
      kind: 'acknowledged',
    });
    expect(await bench.send([record('late')], bench.stamp(1))).toMatchObject({
      kind: 'fenced',
      code: 'PRODUCER_FENCED',
    });
  });

  it('can be asked for: the last one of a producer, where it may be read', async () => {
    const bench = await Bench.open(await newTopic());
    const { driver, leader, producerId } = bench;
    const unknown = { ok: true, value: { permitted: true, known: null } };
    expect(await driver.lastStamp(leader, 0, producerId)).toEqual(unknown);
    await bench.send([record('a'), record('b')], bench.stamp(0, 7));
    expect(await driver.lastStamp(leader, 0, producerId)).toEqual({
      ok: true,
      value: { permitted: true, known: { epoch: 7, lastSequence: 1 } },
    });
  });
});

describe('a batch is refused', () => {
  it('as too large for the topic', async () => {
    const bench = await Bench.open(await newTopic({ config: { 'max.message.bytes': '1000' } }));
    expect(await bench.send([record('x'.repeat(1_000))], bench.stamp(0))).toMatchObject({
      kind: 'tooLarge',
      code: 'RECORD_TOO_LARGE',
    });
  });

  it('for the clock, when it is of the far future', async () => {
    const bench = await Bench.open(await newTopic());
    const future = record('x', { timestamp: Date.now() + 7_200_000 });
    expect(await bench.send([future], bench.stamp(0))).toMatchObject({
      kind: 'clock',
      code: 'CLOCK_SKEW',
    });
  });

  it('as invalid, naming the record and the rule', async () => {
    const bench = await Bench.open(await newTopic({ config: { 'cleanup.policy': 'compact' } }));
    const records = [record('x', { key: 'k' }), record('no key')];
    expect(await bench.send(records, bench.stamp(0))).toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/record 1: .*without key/),
    });
  });

  it('where the topic is gone', async () => {
    const topic = await newTopic();
    const bench = await Bench.open(topic);
    await stack.deleteTopic(topic);
    const outcome = await bench.send([record('x')], bench.stamp(0));
    expect(outcome).toMatchObject({ kind: 'retriable', staleTopology: true });
    expect(await bench.driver.topology()).toMatchObject({ ok: false, code: 'TOPIC_UNKNOWN' });
  });
});

describe('rights', () => {
  let over: ClusterConnection;
  beforeAll(() => {
    over = connect(scram());
  });
  afterAll(() => over.close());

  it('to write are missed by name', async () => {
    const topic = await newTopic({ owner: 'somebody' });
    await stack.grant(stack.scramUser.username, { topic }, ['DESCRIBE']);
    const bench = await Bench.open(topic, { over });
    expect(await bench.send([record('x')], null)).toMatchObject({
      kind: 'refused',
      code: 'TOPIC_WRITE_DENIED',
      message: expect.stringContaining(
        `to topic ${topic} as ${stack.scramUser.username}: claim it`,
      ),
    });
  });

  it('to see are missed by name', async () => {
    const topic = await newTopic({ owner: 'somebody' });
    await expect(Bench.open(topic, { over })).rejects.toThrow(
      /does not exist, or may not be written to/,
    );
  });

  it('to read decide whether a last stamp is told', async () => {
    const topic = await newTopic({ owner: 'somebody' });
    await stack.grant(stack.scramUser.username, { topic }, ['WRITE']);
    const { driver, leader } = await Bench.open(topic, { over });
    const denied = { ok: true, value: { permitted: false, known: null } };
    expect(await driver.lastStamp(leader, 0, 1n)).toEqual(denied);
    await stack.grant(stack.scramUser.username, { topic }, ['READ']);
    const allowed = { ok: true, value: { permitted: true, known: null } };
    expect(await driver.lastStamp(leader, 0, 1n)).toEqual(allowed);
  });
});

describe('a shipper of its own', () => {
  it('delivers what was written before close, stamped, and ends its connections', async () => {
    const topic = await newTopic({ partitions: 3 });
    const options = resolveTransport({
      ...scram(),
      topic,
      compression: 'gzip',
      sourceHeaders: true,
    });
    const shipper = openShipper(options, new Diagnostics());
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
    for (const line of lines) shipper.write({ ...record(line), level: 30, partition: null });
    expect(await shipper.close()).toEqual({
      acknowledged: lines.length,
      dropped: 0,
      deadLettered: 0,
      pending: 0,
    });
    const found = await read(topic);
    const sequence = (item: TopicRecord): number => Number(item.headers[1]?.[1]);
    const inOrder = found.toSorted((one, other) => sequence(one) - sequence(other));
    expect(inOrder.map(({ value }) => value?.toString())).toEqual(lines);
    expect(new Set(found.map(({ headers }) => String(headers[0])))).toEqual(
      new Set([`source-id,${shipper.sourceId}`]),
    );
  });
});

describe('DiasporaLogger', () => {
  it('sends over Globus sign-in, and tells where each record is', async () => {
    const topic = await newTopic({ partitions: 3 });
    const { refreshToken } = await stack.globus.signIn();
    await using logger = new DiasporaLogger({
      bootstrapBrokers: stack.env.DIASPORA_BOOTSTRAP,
      auth: { type: 'globus', issuer: stack.env.DIASPORA_ISSUER, refreshToken },
      tls: { ca: stack.env.DIASPORA_CA_FILE },
      diagnostics: 'silent',
    });
    expect(await logger.partitionsFor(topic)).toEqual([0, 1, 2]);
    expect(logger.bootstrapConnected()).toBe(true);
    const told = await Promise.all([
      logger.send(topic, { celsius: 21.5 }, { key: 'kitchen', headers: { unit: 'C' } }),
      logger.send(topic, 'text', { partition: 2, timestamp: 1_700_000_000_000 }),
      logger.send(topic, new Uint8Array([1, 2]), { partition: 1 }),
      logger.send(topic, null, { key: 'kitchen' }),
    ]);
    const found = await read(topic);
    const values = told.map(
      ({ partition, offset }) =>
        found.find((item) => item.partition === partition && item.offset === offset)?.value,
    );
    expect(values).toEqual([
      Buffer.from('{"celsius":21.5}'),
      Buffer.from('text'),
      Buffer.from([1, 2]),
      null,
    ]);
    expect(told[1]).toMatchObject({ topic, partition: 2, timestamp: 1_700_000_000_000 });
    expect(told[3]?.partition).toBe(told[0]?.partition);
    expect(logger.metrics()[topic]).toMatchObject({ written: 4, acknowledged: 4 });
  });

  it('rejects what cannot be sent, and says whether it may have been', async () => {
    const topic = await newTopic({ config: { 'max.message.bytes': '1000' } });
    const logger = new DiasporaLogger({
      ...scram(),
      deliveryTimeoutMs: 1_000,
      diagnostics: 'silent',
    });
    const rejects = (sent: Promise<unknown>, code: string) =>
      expect(sent).rejects.toMatchObject({ name: 'DeliveryError', code, possiblyDelivered: false });
    await rejects(logger.send(topic, 'x'.repeat(2_000)), 'RECORD_TOO_LARGE');
    await rejects(logger.send(topic, 1n), 'RECORD_INVALID');
    await rejects(logger.send(topic, undefined), 'RECORD_INVALID');
    await rejects(logger.send('no topic', 'x'), 'RECORD_INVALID');
    await rejects(logger.send(topic, 'x', { timestamp: 1.5 }), 'RECORD_INVALID');
    await rejects(logger.send('nobody-made-this', 'x'), 'DELIVERY_TIMED_OUT');
    expect(await logger.close()).toMatchObject({ acknowledged: 0, pending: 0 });
    await rejects(logger.send(topic, 'x'), 'CLOSED');
  });
});
