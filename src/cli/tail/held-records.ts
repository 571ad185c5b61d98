/** Records of several partitions that wait for each other, so that they come out in the order of their times. */
import type { ConsumedRecord } from '../../consume/read-topic.ts';

/** How long a record waits for others of the same moment once its partition has been read to its end, in milliseconds. */
const windowMs = 100;

/** Bytes of all records that wait; beyond, the earliest goes out whatever may yet come. */
const maxBytes = 32 * 2 ** 20;

/** What a record takes beside its key and value, in bytes: about. */
const recordOverhead = 300;

interface Held {
  readonly record: ConsumedRecord;
  readonly bytes: number;
  /** By `performance.now()`. */
  readonly at: number;
}

interface Queue {
  held: Held[];
  /** Index of the first that has not gone out: taking each off the front would move all others. */
  next: number;
  bytes: number;
  /** Records of it are known to come: offset behind the last of these. Null once they have come. */
  behind: bigint | null;
}

export class HeldRecords {
  readonly #queues = new Map<number, Queue>();
  #bytes = 0;

  /** `ends`: what is known to come of each partition, by the offset behind its last record. Without, records wait for the window alone. */
  constructor(ends: ReadonlyMap<number, bigint>) {
    for (const [partition, behind] of ends) {
      this.#queues.set(partition, { held: [], next: 0, bytes: 0, behind });
    }
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Bytes that wait of one partition. */
  bytesOf(partition: number): number {
    return this.#queues.get(partition)?.bytes ?? 0;
  }

  /** The most that a partition may have waiting, where all have as much. */
  get fairShare(): number {
    return maxBytes / 2 / Math.max(1, this.#queues.size);
  }

  add(record: ConsumedRecord, now: number): void {
    const { partition, offset, key, value } = record;
    const queue = this.#queues.get(partition) ?? { held: [], next: 0, bytes: 0, behind: null };
    this.#queues.set(partition, queue);
    const bytes = (key?.length ?? 0) + (value?.length ?? 0) + recordOverhead;
    queue.held.push({ record, bytes, at: now });
    queue.bytes += bytes;
    this.#bytes += bytes;
    if (queue.behind !== null && offset + 1n >= queue.behind) queue.behind = null;
  }

  /** What was to come is not waited for any longer. */
  giveUpWaiting(): void {
    for (const queue of this.#queues.values()) queue.behind = null;
  }

  /** The earliest of the records, if no earlier one is to be expected; each partition's come in their order. */
  take(now: number): ConsumedRecord | null {
    let first: Queue | null = null;
    let waits = false;
    for (const queue of this.#queues.values()) {
      const head = queue.held[queue.next];
      if (head === undefined) {
        waits ||= queue.behind !== null;
        continue;
      }
      const best = first?.held[first.next];
      if (best === undefined || head.record.timestamp < best.record.timestamp) first = queue;
    }
    const head = first?.held[first.next];
    if (first === null || head === undefined) return null;
    const isLive = this.#queues.size > 1 && first.behind === null && now - head.at < windowMs;
    if ((waits || isLive) && this.#bytes < maxBytes) return null;
    this.#remove(first, head);
    return head.record;
  }

  /** Milliseconds after which `take` is worth another try without a new record: null where only a record helps. */
  dueIn(now: number): number | null {
    let due: number | null = null;
    for (const { held, next, behind } of this.#queues.values()) {
      const head = held[next];
      if (head === undefined && behind !== null) return null;
      if (head !== undefined) due = Math.min(due ?? windowMs, head.at + windowMs - now);
    }
    return due === null ? null : Math.max(0, due);
  }

  #remove(queue: Queue, { bytes }: Held): void {
    queue.next += 1;
    queue.bytes -= bytes;
    this.#bytes -= bytes;
    if (queue.next < 1_000 && queue.next < queue.held.length) return;
    queue.held = queue.held.slice(queue.next);
    queue.next = 0;
  }
}
