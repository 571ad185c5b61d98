/** Which waiting records give way when the buffer is full. */
import type { QueuedBatch } from './queued-batch.ts';
import type { RecordQueue } from './record-queue.ts';

/** A batch and the queue that it waits in. */
export interface Place {
  readonly queue: RecordQueue;
  readonly batch: QueuedBatch;
}

export interface Waiting {
  readonly queues: () => Iterable<RecordQueue>;
  /** Drops those records of a waiting batch whose places `gives` names; the others are added to no more. */
  readonly thin: (place: Place, gives: (index: number) => boolean) => void;
  readonly drop: (place: Place) => void;
  readonly bufferedBytes: () => number;
}

/** Where batches are small, a search for the lowest level is followed by so many bytes of them, lest each record search anew. */
const leastWorkBytes = 64 * 1024;

/** Drops the oldest batches until what is left fits into `maxBytes`. */
export function dropOldest(waiting: Waiting, maxBytes: number): void {
  while (waiting.bufferedBytes() > maxBytes) {
    const place = oldest(waiting.queues());
    if (!place) return;
    waiting.drop(place);
  }
}

/**
 * Drops the records of the lowest level, the oldest first, then those of the next, until what is left fits
 * into `maxBytes`. To thin a batch is to encode it anew, and a log call waits for it: no more than is needed.
 */
export function dropLowestLevel(waiting: Waiting, maxBytes: number): void {
  const leastWork = Math.min(leastWorkBytes, maxBytes / 16);
  let work = 0;
  while (waiting.bufferedBytes() > maxBytes) {
    const places = placesOfLowestLevel([...waiting.queues()]);
    if (places.length === 0) return;
    for (const place of places) {
      if (waiting.bufferedBytes() <= maxBytes && work >= leastWork) return;
      const { batch } = place;
      const { lowestLevel } = batch;
      work += batch.bytes;
      if (batch.ofOneLevel) waiting.drop(place);
      else waiting.thin(place, (index) => batch.levelOf(index) === lowestLevel);
    }
  }
}

function oldest(queues: Iterable<RecordQueue>): Place | null {
  let found: Place | null = null;
  for (const queue of queues) {
    const batch = queue.oldest;
    if (batch && (!found || batch.openedAt < found.batch.openedAt)) found = { queue, batch };
  }
  return found;
}

/** The batches that hold records of the lowest level that there is, oldest first. */
function placesOfLowestLevel(queues: readonly RecordQueue[]): Place[] {
  const lowest = Math.min(...queues.map(({ lowestLevel }) => lowestLevel));
  return queues
    .flatMap((queue) => queue.batchesWithLowest(lowest).map((batch): Place => ({ queue, batch })))
    .sort((one, other) => one.batch.openedAt - other.batch.openedAt);
}
