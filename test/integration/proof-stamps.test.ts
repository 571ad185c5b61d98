import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { murmur2, partitionOf } from '../../src/delivery/partitioning.ts';
import { Shipper } from '../../src/delivery/shipper.ts';
import { type DiagnosticEvent, Diagnostics } from '../../src/diagnostics.ts';
import { resolveTransport, type TransportOptions } from '../../src/options.ts';
import { hasCodec } from '../../src/produce/compression.ts';
import { openCluster } from '../../src/produce/connect.ts';
import { KafkaDriver } from '../../src/produce/driver.ts';
import { auditTopic } from '../../stack/audit.ts';
import { kafkaMurmur2 } from '../../stack/java-tools.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { flood } from '../support/flood.ts';
import { type StoredBatch, storedBatches } from '../support/log-segments.ts';
import { otherNode } from '../support/other-node.ts';
import { buildPackage } from './built-package.ts';
import { newTopic, plainOptions, recordsOf, signedInEnv } from './topic-content.ts';

const sequences = 2 ** 31;

beforeAll(() => buildPackage());

/** A shipper as the transports open it, whose stamps begin where numbers are about to run out. */
class Bench {
  readonly shipper: Shipper;
  readonly events: DiagnosticEvent[] = [];

  constructor(
    options: TransportOptions,
    beginAt: { readonly epoch: number; readonly sequence: number },
  ) {
    const resolved = resolveTransport({ sourceHeaders: true, lingerMs: 0, ...options });
    const diagnostics = new Diagnostics((event) => this.events.push(event));
    const { cluster, close } = openCluster(resolved, diagnostics);
    const driver = new KafkaDriver({ ...resolved, cluster, onClose: close });
    this.shipper = new Shipper({ ...resolved, driver, diagnostics, beginAt });
  }

  write(values: readonly string[]): void {
    for (const value of values) {
      const record = { key: null, value, headers: [], timestamp: Date.now() };
      this.shipper.write({ ...record, level: 30, partition: null });
    }
  }
}

async function topicWith(config: Readonly<Record<string, string>>): Promise<string> {
  const topic = uniqueTopic('stamps');
  await sharedStack().createTopic(topic, { config });
  return topic;
}

/** Lines of `bytes` bytes, each unlike the others. */
function lines(count: number, bytes = 20, name = 'line'): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${i} `.padEnd(bytes, 'x'));
}

async function expectInOrder(topic: string, values: readonly string[]): Promise<void> {
  const found = await recordsOf(topic);
  expect(found.map(({ value }) => String(value))).toEqual(values);
  expect(await auditTopic(found)).toMatchObject({ repeated: [], reordered: [], unmarked: [] });
}

/** Every batch is sound, and begins with the number after the last one of its producer id and epoch. */
function expectUnbroken(batches: readonly StoredBatch[], first: number): void {
  const next = new Map<string, number>();
  for (const batch of batches) {
    const stamp = `${batch.producerId} ${batch.producerEpoch}`;
    const baseSequence = next.get(stamp) ?? first;
    const lastSequence = (baseSequence + batch.count - 1) % sequences;
    expect(batch).toMatchObject({ valid: true, read: batch.count, baseSequence, lastSequence });
    next.set(stamp, (lastSequence + 1) % sequences);
  }
}

describe('Sequences go on behind 2³¹ − 1 at 0', () => {
  it('in the middle of a batch', async () => {
    const topic = await newTopic('stamps');
    const sequence = sequences - 500;
    const bench = new Bench(
      { ...plainOptions(topic), batchMaxRecords: 300 },
      { epoch: 0, sequence },
    );
    const written = lines(2_000);
    bench.write(written);
    expect(await bench.shipper.close()).toMatchObject({ acknowledged: 2_000, pending: 0 });
    await expectInOrder(topic, written);
    const batches = await storedBatches(topic);
    expectUnbroken(batches, sequence);
    expect(new Set(batches.map(({ producerEpoch }) => producerEpoch))).toEqual(new Set([0]));
    expect(batches.some((batch) => batch.lastSequence < batch.baseSequence)).toBe(true);
  });

  it('between two batches', async () => {
    const topic = await newTopic('stamps');
    const sequence = sequences - 500;
    const bench = new Bench(
      { ...plainOptions(topic), batchMaxRecords: 500 },
      { epoch: 0, sequence },
    );
    const written = lines(1_000);
    bench.write(written);
    expect(await bench.shipper.close()).toMatchObject({ acknowledged: 1_000, pending: 0 });
    await expectInOrder(topic, written);
    expect(await storedBatches(topic)).toMatchObject([
      { count: 500, baseSequence: sequence, lastSequence: sequences - 1 },
      { count: 500, baseSequence: 0, lastSequence: 499 },
    ]);
  });

  it('in the middle of a batch that is split because the topic takes no such size', async () => {
    const topic = await topicWith({ 'max.message.bytes': '20000' });
    const sequence = sequences - 37;
    const options = { ...plainOptions(topic), batchMaxBytes: 400_000 };
    const bench = new Bench(options, { epoch: 3, sequence });
    const written = lines(1_000, 300);
    bench.write(written);
    expect(await bench.shipper.close()).toMatchObject({ acknowledged: 1_000, pending: 0 });
    await expectInOrder(topic, written);
    const batches = await storedBatches(topic);
    expectUnbroken(batches, sequence);
    // One stamp was given out, and its halves are parts of it: no number is left out, no epoch begun.
    expect(batches.length).toBeGreaterThan(10);
    expect(new Set(batches.map(({ producerEpoch }) => producerEpoch))).toEqual(new Set([3]));
  });
});

describe('A record that is too large for its topic', () => {
  it('is a dead letter, and those around it go on under the next epoch', async () => {
    const topic = await topicWith({ 'max.message.bytes': '10000' });
    const deadLetter = await mkdtemp(join(tmpdir(), 'dead-letters-'));
    const bench = new Bench({ ...plainOptions(topic), deadLetter }, { epoch: 0, sequence: 0 });
    const tooLarge = 'y'.repeat(20_000);
    const before = lines(100, 20, 'before');
    const after = lines(100, 20, 'after');
    bench.write([...before, tooLarge, ...after]);
    const end = await bench.shipper.close();
    expect(end).toMatchObject({ acknowledged: 200, deadLettered: 1, pending: 0 });
    await expectInOrder(topic, [...before, ...after]);
    const batches = await storedBatches(topic);
    expectUnbroken(batches, 0);
    expect(batches.at(-1)?.producerEpoch).toBe(1);
    const file = join(deadLetter, `dead-letters-${bench.shipper.sourceId}.ndjson`);
    const [letter] = (await readFile(file, 'utf8')).split('\n');
    expect(JSON.parse(letter ?? '')).toMatchObject({
      reason: 'RECORD_TOO_LARGE',
      record: { value: tooLarge },
    });
    await rm(deadLetter, { recursive: true });
  });

  it('makes a new producer id where epochs have run out, and nothing is lost or repeated', async () => {
    const topic = await topicWith({ 'max.message.bytes': '10000' });
    const options = { ...plainOptions(topic), batchMaxRecords: 50 };
    const sequence = sequences - 60;
    const bench = new Bench(options, { epoch: 32_767, sequence });
    const good: string[] = [];
    // Each that is given up takes the lane to its next epoch. Without a directory they count as dropped.
    for (const round of [1, 2, 3]) {
      const more = lines(200, 20, `round ${round}, line`);
      good.push(...more);
      bench.write([...more, 'y'.repeat(20_000)]);
      await bench.shipper.flush();
    }
    const last = lines(10, 20, 'last');
    good.push(...last);
    bench.write(last);
    const end = await bench.shipper.close();
    expect(end).toMatchObject({ acknowledged: good.length, dropped: 3, pending: 0 });
    await expectInOrder(topic, good);
    const batches = await storedBatches(topic);
    expectUnbroken(batches, sequence);
    expect(new Set(batches.map(({ producerEpoch }) => producerEpoch))).toEqual(new Set([32_767]));
    expect(new Set(batches.map(({ producerId }) => producerId)).size).toBe(4);
    expect(bench.shipper.stats()).toMatchObject({ possiblyRepeated: 0, unresolved: 0 });
  });
});

describe("Kafka's own DumpLogSegments reads every batch that the package writes", () => {
  it.each(['none', 'gzip', 'zstd'] as const)('compression %s', async (compression) => {
    const topic = await newTopic('stamps');
    const node = hasCodec(compression) ? process.execPath : await otherNode(24);
    const env = await signedInEnv();
    const options = { topic, compression, bufferMaxBytes: 2 ** 28, sourceHeaders: true };
    const told = await flood({ front: 'pino', count: 10_000, options, env, node });
    expect(told.stats).toMatchObject({ acknowledged: 10_000 });
    const batches = await storedBatches(topic);
    expectUnbroken(batches, 0);
    expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
    expect(new Set(batches.map((batch) => batch.compression))).toEqual(new Set([compression]));
    expect(new Set(batches.map(({ producerId }) => producerId)).size).toBe(1);
  });
});

describe('Keys', () => {
  it("are hashed as Kafka's Java client hashes them: 10,000 of them, of any length and bytes", async () => {
    // Any fixed sequence will do; this one reaches all byte values (Numerical Recipes' generator).
    let state = 1;
    const next = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    };
    const keys = Array.from({ length: 10_000 }, (_, i) =>
      i % 2 ? Buffer.from(`clé-${i}-鍵-😀`) : Buffer.from(Array.from({ length: i % 67 }, next)),
    );
    const answers = await kafkaMurmur2(keys);
    expect(keys.map(murmur2)).toEqual(answers.map(({ hash }) => hash));
    for (const partitions of [1, 2, 3, 7, 12, 100]) {
      const own = keys.map((key) => partitionOf(key, partitions));
      expect(own).toEqual(answers.map(({ positive }) => positive % partitions));
    }
  });
});
