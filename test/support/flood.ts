/** Floods a topic from an app of its own, and compares what lies there with what the app logged, byte for byte. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stats } from '../../src/delivery/counters.ts';
import type { TransportOptions } from '../../src/options.ts';
import { type Audit, auditTopic, sourceSequenceHeader } from '../../stack/audit.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { runApp } from '../integration/built-package.ts';
import { sharedStack } from '../shared-stack.ts';

/** Ways into the package. */
export type Front = 'pino' | 'winston' | 'logger';

export interface FloodOptions {
  readonly front: Front;
  readonly count: number;
  readonly options: TransportOptions & { readonly topic: string };
  readonly env: Readonly<Record<string, string>>;
  /** Path of the Node that runs the app. Default: the one that runs the tests. */
  readonly node?: string;
}

/** What the app tells. */
export interface Flood {
  readonly topic: string;
  readonly front: Front;
  /** How many records its framework handed to the app's own stream. */
  readonly seen: number;
  readonly stats: Stats;
  /** Highest resident memory of the process, its worker included. */
  readonly maxRssMiB: number;
  readonly stderr: string;
  /** SHA-256 of each record, 32 bytes each. */
  readonly expected: Buffer;
  /** Of each record: partition (4 bytes), offset (8 bytes), little-endian. Only `logger` is told them. */
  readonly places: Buffer;
}

export async function flood({ front, count, options, env, node }: FloodOptions): Promise<Flood> {
  const directory = await mkdtemp(join(tmpdir(), 'flood-'));
  try {
    const args = [front, String(count), JSON.stringify(options), directory];
    const { stderr } = await runApp('test/support/apps/flood.mjs', args, env, node);
    const result = JSON.parse(await readFile(join(directory, 'result.json'), 'utf8'));
    const expected = await readFile(join(directory, 'expected'));
    const places = await readFile(join(directory, 'places'));
    return { topic: options.topic, front, stderr, expected, places, ...result };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** What the topic tells. */
export interface Comparison {
  readonly audit: Audit;
  /** Numbers of the records whose bytes are not those that were logged. */
  readonly differing: readonly number[];
  /** Numbers of the records that lie elsewhere than `send` was told. */
  readonly misplaced: readonly number[];
  readonly largest: number;
}

/** Reads the topic with Kafka's own consumer. */
export async function compare(flooded: Flood): Promise<Comparison> {
  const { topic, front, expected, places } = flooded;
  const differing: number[] = [];
  const misplaced: number[] = [];
  let largest = 0;
  const checked = async function* (): AsyncGenerator<TopicRecord> {
    for await (const record of sharedStack().readTopic(topic)) {
      const i = sequenceOf(record);
      if (!digest(record.value).equals(expected.subarray(32 * i, 32 * i + 32))) differing.push(i);
      if (front === 'logger' && !isAt(record, places.subarray(12 * i))) misplaced.push(i);
      largest = Math.max(largest, record.value?.length ?? 0);
      yield record;
    }
  };
  return { audit: await auditTopic(checked()), differing, misplaced, largest };
}

function sequenceOf({ headers }: TopicRecord): number {
  return Number(headers.find(([name]) => name === sourceSequenceHeader)?.[1]);
}

function digest(value: Buffer | null): Buffer {
  return value === null ? Buffer.alloc(32) : createHash('sha256').update(value).digest();
}

function isAt({ partition, offset }: TopicRecord, place: Buffer): boolean {
  return place.readInt32LE(0) === partition && place.readBigInt64LE(4) === offset;
}
