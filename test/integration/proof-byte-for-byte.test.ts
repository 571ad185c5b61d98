import { beforeAll, describe, expect, it } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { hasCodec } from '../../src/produce/compression.ts';
import { compare, type Flood, type Front, flood } from '../support/flood.ts';
import { otherNode } from '../support/other-node.ts';
import { buildPackage } from './built-package.ts';
import { newTopic, signedInEnv } from './topic-content.ts';

const count = 100_000;

/**
 * Delivery keeps what the brokers have not yet acknowledged, and gives the oldest up beyond 64 MiB. A
 * flood that nothing slows down comes faster than it can leave: all of it must fit.
 */
const roomForAll = 512 * 2 ** 20;

/**
 * Pino's own buffer in the app's thread has no bound, so that what is logged faster than the worker
 * reads counts once there, and once in delivery: some 100 MB each, beside Node and its worker.
 */
const memoryForAllMiB = 450;

beforeAll(() => buildPackage());

async function flooded(
  front: Front,
  options: TransportOptions,
  { node, records = count }: { readonly node?: string; readonly records?: number } = {},
): Promise<Flood> {
  const topic = await newTopic('bytes', 3);
  return flood({
    front,
    count: records,
    options: { topic, sourceHeaders: true, ...options },
    env: await signedInEnv(),
    ...(node !== undefined && { node }),
  });
}

async function expectAllExactly(told: Flood): Promise<void> {
  expect(told.stderr).toBe('');
  expect(told.seen).toBe(count);
  expect(told.stats).toMatchObject({ written: count, acknowledged: count, dropped: 0 });
  expect(told.maxRssMiB).toBeLessThan(memoryForAllMiB);
  const { audit, ...bytes } = await compare(told);
  expect(bytes).toMatchObject({ differing: [], misplaced: [] });
  expect(bytes.largest).toBeGreaterThan(890 * 1024);
  expect([...audit.sources.values()]).toEqual([count]);
  expect(audit).toMatchObject({ records: count, lost: [], repeated: [], reordered: [] });
  expect(audit.unmarked).toEqual([]);
}

describe('100,000 records come back from the topic byte for byte, each once and in order, from', () => {
  it.each<[Front, 'none' | 'gzip']>([
    ['pino', 'none'],
    ['pino', 'gzip'],
    ['winston', 'none'],
    ['winston', 'gzip'],
    ['logger', 'none'],
    ['logger', 'gzip'],
  ])('%s, compression %s', async (front, compression) => {
    await expectAllExactly(await flooded(front, { compression, bufferMaxBytes: roomForAll }));
  });

  it.each<Front>(['pino', 'winston', 'logger'])('%s, compression zstd', async (front) => {
    // The first Node with zstd is 22.15.
    const node = hasCodec('zstd') ? process.execPath : await otherNode(24);
    const options = { compression: 'zstd', bufferMaxBytes: roomForAll } as const;
    await expectAllExactly(await flooded(front, options, { node }));
  });
});

describe('Where the buffer is full, the counters tell exactly what is missing', () => {
  async function expectCounted({ stats, stderr, ...told }: Flood): Promise<void> {
    expect(stats.written).toBe(told.seen);
    expect(stats.acknowledged + stats.dropped).toBe(told.seen);
    const byLevel = Object.values(stats.droppedByLevel).reduce((sum, some) => sum + some, 0);
    expect(byLevel).toBe(stats.dropped);
    const found = await compare({ stats, stderr, ...told });
    expect(found).toMatchObject({ differing: [], misplaced: [] });
    const { audit } = found;
    expect(audit).toMatchObject({ records: stats.acknowledged, repeated: [], reordered: [] });
    expect([...audit.sources.values()]).toEqual([stats.acknowledged]);
    expect(stderr.includes('BUFFER_FULL')).toBe(stats.dropped > 0);
  }

  it('with default options', async () => {
    const told = await flooded('pino', {}, { records: 2 * count });
    expect(told.seen).toBe(2 * count);
    await expectCounted(told);
    expect(told.maxRssMiB).toBeLessThan(memoryForAllMiB);
  });

  it.each<Front>(['pino', 'winston'])('with a buffer far too small, from %s', async (front) => {
    const told = await flooded(front, { bufferMaxBytes: 2 ** 20, batchMaxBytes: 2 ** 17 });
    expect(told.stats.dropped).toBeGreaterThan(0);
    await expectCounted(told);
  });
});
