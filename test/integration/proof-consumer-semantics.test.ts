import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import {
  type Death,
  type Journal,
  type Place,
  readJournal,
  type Stored,
  StoringApp,
  type StoringOptions,
} from '../faults/driving/storing-app.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import { newTopic, plainOptions } from './topic-content.ts';

let directory: string;

beforeAll(async () => {
  await buildPackage();
  directory = await mkdtemp(join(tmpdir(), 'consumer-semantics-'));
  return () => rm(directory, { recursive: true });
});

/** Of the topic, in a group of its own, with a file of its own. */
function newReader(topic: string): StoringOptions {
  const groupId = uniqueTopic('group');
  const reading = { ...plainOptions(topic), groupId, autoOffsetReset: 'earliest' } as const;
  return { reading, journal: join(directory, groupId) };
}

const readerFrom = (end: 'earliest' | 'latest', options: StoringOptions): StoringOptions => ({
  ...options,
  reading: { ...options.reading, autoOffsetReset: end },
});

const endedWell = { code: 0, signal: null };

const nameOf = ({ partition, offset }: Place): string => `${partition}/${offset}`;

/** Writes records to partitions in turn, and knows where each of them lies. */
class Writer implements AsyncDisposable {
  readonly #logger: DiasporaLogger;
  readonly #topic: string;
  readonly #partitions: number;
  readonly #sent: Promise<readonly [place: string, value: string]>[] = [];

  constructor(topic: string, partitions: number) {
    const { topic: _, ...connection } = plainOptions(topic);
    this.#logger = new DiasporaLogger(connection);
    this.#topic = topic;
    this.#partitions = partitions;
  }

  write(count: number): void {
    for (let i = 0; i < count; i += 1) {
      const value = `record ${this.#sent.length}`;
      const partition = this.#sent.length % this.#partitions;
      const sent = this.#logger.send(this.#topic, value, { partition });
      this.#sent.push(sent.then((at) => [`${partition}/${at.offset}`, value] as const));
    }
  }

  /** The values of all that was written, by place. */
  async written(): Promise<Map<string, string>> {
    return new Map(await Promise.all(this.#sent));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#logger.close();
  }
}

/** The values of what was stored, by place. Where one was stored twice, both were the same. */
function withoutRepeats(stored: readonly Stored[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const record of stored) {
    const before = values.get(nameOf(record)) ?? record.value;
    expect(record.value, nameOf(record)).toBe(before);
    values.set(nameOf(record), record.value);
  }
  return values;
}

const hasStored =
  (count: number) =>
  ({ stored }: Journal): boolean =>
    withoutRepeats(stored).size >= count;

const sorted = (values: Map<string, string>): [string, string][] => [...values].sort();

describe.concurrent('A reader that commits what it has stored', () => {
  it('begins at either end, and goes on where it was, whatever end it is told then', async () => {
    const topic = await newTopic('semantics', 2);
    await using writer = new Writer(topic, 2);
    const earliest = readerFrom('earliest', newReader(topic));
    const latest = readerFrom('latest', newReader(topic));
    writer.write(20);
    await writer.written();
    {
      using first = new StoringApp(earliest);
      using second = new StoringApp(latest);
      await Promise.all([first.ready(), second.ready()]);
      writer.write(10);
      await first.until(hasStored(30));
      await second.until(hasStored(10));
      for (const app of [first, second]) expect(await app.close()).toEqual(endedWell);
    }
    writer.write(10);
    using first = new StoringApp(readerFrom('latest', earliest));
    using second = new StoringApp(readerFrom('earliest', latest));
    await Promise.all([first.ready(), second.ready()]);
    writer.write(10);
    const written = await writer.written();
    const all = await first.until(hasStored(50));
    expect(all.stored).toHaveLength(50);
    expect(sorted(withoutRepeats(all.stored))).toEqual(sorted(written));
    const rest = await second.until(hasStored(30));
    expect(rest.stored).toHaveLength(30);
    expect(sorted(withoutRepeats(rest.stored))).toEqual(sorted(new Map([...written].slice(20))));
  });

  const records = 300;

  /** Stores up to its death, and is started again. Answers what came of it. */
  async function dieAndReturn(topic: string, diesAt: Death): Promise<Journal> {
    const reader = newReader(topic);
    using app = new StoringApp({ ...reader, diesAt });
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGKILL' });
    expect((await readJournal(reader.journal)).stored).toHaveLength(diesAt.record);
    using next = new StoringApp(reader);
    await next.until(hasStored(records));
    // All are stored; the one that it died with may still be on its way.
    const { committed, endOffsets } = sharedStack();
    const ends = await endOffsets(topic);
    while (!isDeepStrictEqual(await committed(reader.reading.groupId, topic), ends))
      await sleep(50);
    expect(await next.close()).toEqual(endedWell);
    return readJournal(reader.journal);
  }

  /** What was stored more than once, in the order of the second time. */
  function repeated({ stored }: Journal): string[] {
    const seen = new Set<string>();
    return stored.map(nameOf).filter((place) => seen.size === seen.add(place).size);
  }

  it('and is killed in between, gets that one record again, and skips none', async () => {
    const topic = await newTopic('semantics', 3);
    await using writer = new Writer(topic, 3);
    writer.write(records);
    const written = sorted(await writer.written());
    const points = Array.from({ length: 8 }, () => randomInt(1, records + 1));
    await Promise.all(
      points.map(async (record) => {
        const journal = await dieAndReturn(topic, { record, step: 'stored' });
        expect(sorted(withoutRepeats(journal.stored))).toEqual(written);
        const lastBefore = journal.stored[record - 1];
        expect(repeated(journal)).toEqual(lastBefore ? [nameOf(lastBefore)] : 'none');
        expect(journal.stored).toHaveLength(records + 1);
      }),
    );
  });

  it('and is killed while the commit is on its way, gets that record again or not, and skips none', async () => {
    const topic = await newTopic('semantics', 3);
    await using writer = new Writer(topic, 3);
    writer.write(records);
    const written = sorted(await writer.written());
    await Promise.all(
      [0, 1, 2, 5].map(async (afterMs) => {
        const record = randomInt(1, records + 1);
        const journal = await dieAndReturn(topic, { record, step: 'committing', afterMs });
        expect(sorted(withoutRepeats(journal.stored))).toEqual(written);
        const lastBefore = journal.stored[record - 1];
        expect(lastBefore && [[], [nameOf(lastBefore)]]).toContainEqual(repeated(journal));
      }),
    );
  });

  const partitions = 6;

  /** Whether the last members that came share all partitions, and each has stored some records from now on. */
  function areReading(members: number): (journal: Journal) => boolean {
    const since = process.hrtime.bigint();
    return ({ assigned, stored }) => {
      const last = [...assigned].slice(-members);
      const shares = last.flatMap(([, share]) => share).sort();
      return (
        isDeepStrictEqual(shares, [0, 1, 2, 3, 4, 5]) &&
        last.every(([pid]) => stored.filter((one) => one.pid === pid && one.at > since).length > 20)
      );
    };
  }

  /** Whether the record was given though this had been acknowledged before. */
  const isBehind = (record: Stored, { partition, offset, at }: Journal['committed'][0]): boolean =>
    partition === record.partition && offset > record.offset && at < record.at;

  it('shares a busy topic with others that join, leave and are killed: nothing is lost, and nothing that was committed comes again', async () => {
    const topic = await newTopic('semantics', partitions);
    await using writer = new Writer(topic, partitions);
    const writing = setInterval(() => writer.write(2), 20);
    const reader = { ...newReader(topic), commitEvery: 7 };
    try {
      using first = new StoringApp(reader);
      await first.until(areReading(1));
      using second = new StoringApp(reader);
      await second.until(areReading(2));
      expect(await first.close()).toEqual(endedWell);
      await second.until(areReading(1));
      using third = new StoringApp(reader);
      await third.until(areReading(2));
      second.kill();
      await second.ended();
      await third.until(areReading(1));
      clearInterval(writing);
      const written = await writer.written();
      const { stored, committed } = await third.until(hasStored(written.size));
      expect(await third.close()).toEqual(endedWell);
      expect(sorted(withoutRepeats(stored))).toEqual(sorted(written));
      const again = stored.filter((record) => committed.some((one) => isBehind(record, one)));
      expect(again.map(nameOf)).toEqual([]);
    } finally {
      clearInterval(writing);
    }
  });
});
