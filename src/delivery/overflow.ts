/** Which waiting records give way when the buffer is full. */
import type { QueuedBatch } from './queued-batch.ts';
import type { LogRecord } from './record.ts';
import type { RecordQueue } from './record-queue.ts';

/** A batch and the queue that it waits in. */
export interface Place {
  readonly queue: RecordQueue;
  readonly batch: QueuedBatch;
}

export interface Waiting {
  readonly queues: () => Iterable<RecordQueue>;
  /** Drops those records of a waiting batch that `gives` names. Answers the batch of the others, null where there are none. */
  readonly thin: (
    place: Place,
    gives: (record: LogRecord, index: number) => boolean,
  ) => QueuedBatch | null;
  readonly drop: (place: Place) => void;
  readonly bufferedBytes: () => number;
}

/** A record without a level gives way as if it were `info`. */
const unknownLevel = 30;

/** Making room by level decodes batches: done in steps of this part of the buffer, its cost is spread thin. */
const levelStep = 1 / 16;

/** Drops the oldest batches until what is left fits into `maxBytes`. */
export function dropOldest(waiting: Waiting, maxBytes: number): void {
  while (waiting.bufferedBytes() > maxBytes) {
    const place = oldest(waiting.queues());
    if (!place) return;
    waiting.drop(place);
  }
}

/** Drops the records of the lowest level, the oldest first, then those of the next, until what is left fits. */
export function dropLowestLevel(waiting: Waiting, maxBytes: number): void {
  const target = maxBytes * (1 - levelStep);
  let places = placesByAge(waiting.queues());
  const levels = new Set(places.flatMap(({ batch }) => [...batch.levels().keys()].map(rank)));
  for (const lowest of [...levels].sort((one, other) => one - other)) {
    const left: Place[] = [];
    for (const place of places) {
      if (waiting.bufferedBytes() <= target) return;
      const has = [...place.batch.levels().keys()].some((level) => rank(level) === lowest);
      const batch = has ? waiting.thin(place, ({ level }) => rank(level) === lowest) : place.batch;
      if (batch) left.push({ queue: place.queue, batch });
    }
    places = left;
  }
}

const rank = (level: number | null): number => level ?? unknownLevel;

function oldest(queues: Iterable<RecordQueue>): Place | null {
  let found: Place | null = null;
  for (const queue of queues) {
    const batch = queue.oldest;
    if (batch && (!found || batch.openedAt < found.batch.openedAt)) found = { queue, batch };
  }
  return found;
}

function placesByAge(queues: Iterable<RecordQueue>): Place[] {
  return [...queues]
    .flatMap((queue) => queue.batches().map((batch): Place => ({ queue, batch })))
    .sort((one, other) => one.batch.openedAt - other.batch.openedAt);
}
