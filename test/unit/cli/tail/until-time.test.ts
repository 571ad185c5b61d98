import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Open, openUntilTime } from '../../../../src/cli/tail/until-time.ts';
import type {
  ConsumedRecord,
  PartitionRange,
  ReadTopicOptions,
  TopicReader,
} from '../../../../src/consume/read-topic.ts';
import { record } from './records.ts';

const time = Date.UTC(2026, 0, 1);

/** A topic: the times of each partition's records, from when `time` comes on. Offsets count from 0. */
class Log {
  readonly #partitions: readonly ConsumedRecord[][];
  /** What was paused of each reader while it was read. */
  readonly paused: number[][] = [];
  /** How many readers are not closed. */
  openReaders = 0;

  constructor(...times: readonly (readonly number[])[]) {
    this.#partitions = times.map((some, partition) =>
      some.map((after, i) =>
        record({ partition, offset: BigInt(i), timestamp: time + after, value: Buffer.from('') }),
      ),
    );
  }

  readonly open = async ({ from, to, signal }: ReadTopicOptions): Promise<TopicReader> => {
    await turn();
    signal?.throwIfAborted();
    const partitions = this.#partitions.map((records, partition): PartitionRange => {
      const given = typeof from === 'object' && 'offsets' in from ? from.offsets : null;
      const start = given?.get(partition) ?? 0n;
      const until = typeof to === 'object' ? to.time : Number.POSITIVE_INFINITY;
      const at = records.findIndex(({ timestamp }) => timestamp >= until);
      const end = BigInt(at === -1 ? records.length : at);
      return { partition, low: 0n, start: start < end ? start : end, end };
    });
    const ending = new AbortController();
    const isOver = AbortSignal.any([ending.signal, ...(signal ? [signal] : [])]);
    const paused: number[] = [];
    this.paused.push(paused);
    let isRead = false;
    this.openReaders += 1;
    const close = async (): Promise<void> => {
      if (!ending.signal.aborted) this.openReaders -= 1;
      ending.abort();
    };
    return {
      partitions,
      records: () => {
        isRead = true;
        return this.#records(partitions, to === undefined, isOver);
      },
      pause: (partition) => void (isRead && paused.push(partition)),
      resume: () => undefined,
      close,
      [Symbol.asyncDispose]: close,
    };
  };

  async *#records(
    ranges: readonly PartitionRange[],
    goesOn: boolean,
    isOver: AbortSignal,
  ): AsyncGenerator<ConsumedRecord, void, undefined> {
    for (const { partition, start, end } of ranges) {
      for (const one of this.#partitions[partition]?.slice(Number(start), Number(end)) ?? []) {
        if (isOver.aborted) return;
        yield one;
      }
    }
    if (!goesOn || isOver.aborted) return;
    await new Promise<void>((resolve) => {
      isOver.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

interface Reading {
  readonly reader: TopicReader;
  /** So many more, or all. */
  readonly take: (count?: number) => Promise<string[]>;
  readonly stop: () => void;
}

async function reading(log: Log, open: Open = log.open): Promise<Reading> {
  const ending = new AbortController();
  const { signal } = ending;
  const reader = await openUntilTime(open, { from: 'earliest', time, signal });
  const records = reader.records();
  return {
    reader,
    async take(count = Number.POSITIVE_INFINITY) {
      const taken: string[] = [];
      while (taken.length < count) {
        const { done, value } = await records.next();
        if (done) break;
        taken.push(`${value.partition}:${value.offset}`);
      }
      return taken;
    },
    stop: () => ending.abort(),
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'], now: time - 5_000 });
  onTestFinished(() => void vi.useRealTimers());
});

const timeComes = (): void => void vi.advanceTimersByTime(5_000);

describe('a reading up to a time to come', () => {
  it('reads what was there by then, though it had not come to it', async () => {
    const log = new Log([-9, -8, -7, 5], [-6, 0, -1], []);
    const { take } = await reading(log);
    expect(await take(1)).toEqual(['0:0']);
    timeComes();
    expect(await take()).toEqual(['0:1', '0:2', '1:0']);
  });

  it('does so where the time comes before the first record', async () => {
    const { take } = await reading(new Log([-9, -8, 1]));
    timeComes();
    expect(await take()).toEqual(['0:0', '0:1']);
  });

  it('waits for it, and gives nothing from the first record of that time on', async () => {
    const { take } = await reading(new Log([-9, 3, -8], [-7]));
    expect(await take(2)).toEqual(['0:0', '1:0']);
    let rest: string[] | null = null;
    const ended = take().then((records) => {
      rest = records;
    });
    await turn();
    expect(rest).toBe(null);
    timeComes();
    await ended;
    expect(rest).toEqual([]);
  });

  it('keeps what was paused from being read ahead', async () => {
    const log = new Log([-9, -8], [-7], [-6]);
    const { reader, take } = await reading(log);
    await take(1);
    for (const partition of [0, 2]) reader.pause(partition);
    reader.resume(2);
    timeComes();
    expect(await take(1)).toEqual(['0:1']);
    expect(log.paused).toEqual([[0, 2], [0]]);
  });

  it('ends before it where it is stopped', async () => {
    const log = new Log([-9, -8]);
    const { take, stop } = await reading(log);
    await take(1);
    stop();
    expect(await take()).toEqual([]);
    expect(log.paused).toHaveLength(1);
  });

  it('ends where it is stopped while the brokers are asked', async () => {
    const { take, stop } = await reading(new Log([-9, -8]));
    await take(1);
    timeComes();
    const rest = take();
    stop();
    expect(await rest).toEqual([]);
  });

  it('reads no further where it is closed while a record is waited for', async () => {
    const log = new Log([-9, -8]);
    const { reader, take } = await reading(log);
    await take(2);
    const rest = take();
    await reader.close();
    expect(await rest).toEqual([]);
    expect(log.paused).toHaveLength(1);
  });

  it('leaves nothing open where it is closed while the brokers are asked', async () => {
    const log = new Log([-9, -8]);
    let answered = (): void => {};
    const { reader, take } = await reading(log, async (place) => {
      const opened = await log.open(place);
      answered();
      return opened;
    });
    await take(1);
    const closed = new Promise<void>((resolve) => {
      answered = () => resolve(reader.close());
    });
    timeComes();
    expect(await take()).toEqual([]);
    await closed;
    expect(log.openReaders).toBe(0);
  });
});
