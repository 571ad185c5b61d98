/** Interleaves the records of several partitions by their times, as well as what has come allows. */
import { performance } from 'node:perf_hooks';
import type { ConsumedRecord } from '../../consume/read-topic.ts';
import { HeldRecords } from './held-records.ts';

/** Records that are known to come and do not, for so many milliseconds, are not waited for any longer. */
const silenceMs = 2_000;

export interface ByTimeOptions {
  /** What is known to come of each partition: offset behind its last record. */
  readonly ends: ReadonlyMap<number, bigint>;
  /** A partition that is far ahead of the others is not read until they have caught up. */
  readonly pause: (partition: number) => void;
  readonly resume: (partition: number) => void;
}

/** Keeps the order of each partition. Waiting records are bounded in bytes. Ends with the records, also where these end with an error. */
export async function* byTime(
  records: AsyncIterator<ConsumedRecord>,
  { ends, pause, resume }: ByTimeOptions,
): AsyncGenerator<ConsumedRecord, void, undefined> {
  const held = new HeldRecords(ends);
  const paused = new Set<number>();
  let next = nextOf(records);
  for (;;) {
    const ready = held.take(performance.now());
    if (ready !== null) {
      const { partition } = ready;
      yield ready;
      if (paused.has(partition) && held.bytesOf(partition) < held.fairShare / 2) {
        paused.delete(partition);
        resume(partition);
      }
      continue;
    }
    let result: IteratorResult<ConsumedRecord> | 'late';
    try {
      const due = held.isEmpty ? null : (held.dueIn(performance.now()) ?? silenceMs);
      result = await inTime(next, due);
    } catch (error) {
      yield* rest(held);
      throw error;
    }
    if (result === 'late') {
      if (held.dueIn(performance.now()) === null) held.giveUpWaiting();
      continue;
    }
    if (result.done) return yield* rest(held);
    next = nextOf(records);
    const { partition } = result.value;
    held.add(result.value, performance.now());
    if (held.bytesOf(partition) > held.fairShare && !paused.has(partition)) {
      paused.add(partition);
      pause(partition);
    }
  }
}

/** Nothing more comes. */
function* rest(held: HeldRecords): Generator<ConsumedRecord, void, undefined> {
  held.giveUpWaiting();
  for (let last = held.take(Number.POSITIVE_INFINITY); last !== null; ) {
    yield last;
    last = held.take(Number.POSITIVE_INFINITY);
  }
}

/** The loop may be left before it is looked at. */
function nextOf<T>(records: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = records.next();
  next.catch(() => undefined);
  return next;
}

/** Null: without a limit. */
async function inTime<T>(promise: Promise<T>, milliseconds: number | null): Promise<T | 'late'> {
  if (milliseconds === null) return promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
