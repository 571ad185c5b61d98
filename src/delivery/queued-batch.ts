/** A batch while delivery keeps it: the encoded records, and beside each what only delivery knows. */
import type { Batch, DeliveryRecord, Driver, Stamp } from './driver.ts';
import type { LogRecord, Settle, Settlement } from './record.ts';

/** A record without a level counts as `info`. */
const unknownLevel = 30;

/** Whom to tell of one record's end, until when (in `performance.now()` milliseconds), and the record's time. */
interface Waiter {
  readonly settle: Settle;
  readonly deadline: number;
  readonly timestamp: number;
}

export class QueuedBatch {
  readonly batch: Batch;
  /** `performance.now()` when its first record came. */
  readonly openedAt: number;
  /** The flush that its first record belongs to, and with it the whole batch: see `Ledger`. */
  readonly cut: number;
  /** Set when the batch is handed to its lane; never given to other records. */
  stamp: Stamp | null = null;
  /** It is in a lane, and no longer in a queue. */
  handedOver = false;
  /** An earlier attempt was never answered: the broker may have stored it. */
  uncertain = false;
  /** It was sent again without proof that it was not stored: it may be in the topic twice. */
  possiblyRepeated = false;
  /** How often times in it were moved back for a broker that found them too far ahead. */
  clockShifts = 0;
  #namesPartition = false;
  readonly #levels: (number | null)[] = [];
  #lowestLevel = Number.POSITIVE_INFINITY;
  #highestLevel = Number.NEGATIVE_INFINITY;
  /** By the record's place in the batch. */
  readonly #waiters = new Map<number, Waiter>();
  /** The first of their deadlines. */
  #deadline = Number.POSITIVE_INFINITY;

  constructor(batch: Batch, openedAt: number, cut: number) {
    this.batch = batch;
    this.openedAt = openedAt;
    this.cut = cut;
  }

  get count(): number {
    return this.batch.count;
  }

  get bytes(): number {
    return this.batch.bytes;
  }

  /** Whether a record in it names its partition itself. */
  get namesPartition(): boolean {
    return this.#namesPartition;
  }

  append(record: LogRecord, deadline: number): void {
    const { settle, timestamp, partition, level } = record;
    if (partition !== null) this.#namesPartition = true;
    this.#add(record, level, settle && { settle, deadline, timestamp });
  }

  #add(record: DeliveryRecord, level: number | null, waiter: Waiter | undefined): void {
    this.batch.append(record);
    if (waiter) {
      this.#waiters.set(this.#levels.length, waiter);
      this.#deadline = Math.min(this.#deadline, waiter.deadline);
    }
    this.#levels.push(level);
    const rank = level ?? unknownLevel;
    if (rank < this.#lowestLevel) this.#lowestLevel = rank;
    if (rank > this.#highestLevel) this.#highestLevel = rank;
  }

  /** Adds the records of another batch, whose memory is given back. */
  take(other: QueuedBatch): void {
    if (other.#namesPartition) this.#namesPartition = true;
    other.batch.records().forEach((record, index) => {
      this.#add(record, other.#levels[index] ?? null, other.#waiters.get(index));
    });
    other.batch.release();
  }

  /** Tells whoever waits how each record ended. */
  settle(settlement: (index: number, timestamp: number) => Settlement): void {
    for (const [index, { settle, timestamp }] of this.#waiters)
      settle(settlement(index, timestamp));
    this.#waiters.clear();
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  /** When the first of those who wait stops waiting; infinite where nobody does. */
  get deadline(): number {
    return this.#deadline;
  }

  /** The deadline of the record at `index`. */
  deadlineOf(index: number): number {
    return this.#waiters.get(index)?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** Tells those whose time is up; the records stay. */
  stopWaiting(now: number, settlement: Settlement): void {
    if (this.#deadline > now) return;
    let next = Number.POSITIVE_INFINITY;
    for (const [index, { deadline, settle }] of this.#waiters) {
      if (deadline > now) {
        next = Math.min(next, deadline);
        continue;
      }
      this.#waiters.delete(index);
      settle(settlement);
    }
    this.#deadline = next;
  }

  /** The lowest level in it; infinite where it is empty. */
  get lowestLevel(): number {
    return this.#lowestLevel;
  }

  /** Whether all its records are of one level. */
  get ofOneLevel(): boolean {
    return this.#lowestLevel === this.#highestLevel;
  }

  /** The level of the record at `index`. */
  levelOf(index: number): number {
    return this.#levels[index] ?? unknownLevel;
  }

  /** How many records there are of each level. */
  levels(): Map<number | null, number> {
    const counts = new Map<number | null, number>();
    for (const level of this.#levels) counts.set(level, (counts.get(level) ?? 0) + 1);
    return counts;
  }

  /** The records, decoded, in their order. */
  records(): LogRecord[] {
    return this.batch.records().map((record, index) => {
      const settle = this.#waiters.get(index)?.settle;
      return {
        ...record,
        level: this.#levels[index] ?? null,
        partition: null,
        ...(settle && { settle }),
      };
    });
  }

  /**
   * Two batches, of the records whose places `isFirst` names and of the others. This one's memory is given
   * back. Neither has a stamp: only a lane can say which part of the old one is whose.
   */
  divide(driver: Driver, isFirst: (index: number) => boolean): [QueuedBatch, QueuedBatch] {
    const parts: [QueuedBatch, QueuedBatch] = [this.#emptied(driver), this.#emptied(driver)];
    this.batch.records().forEach((record, index) => {
      const part = parts[isFirst(index) ? 0 : 1];
      part.#add(record, this.#levels[index] ?? null, this.#waiters.get(index));
    });
    this.batch.release();
    return parts;
  }

  /**
   * The same records under the same stamp, with other times: a broker never compares those of a
   * repeat. This batch's memory is given back.
   */
  retimed(driver: Driver, timeOf: (record: LogRecord, index: number) => number): QueuedBatch {
    const batch = this.#emptied(driver);
    this.records().forEach((record, index) => {
      const timestamp = timeOf(record, index);
      batch.append({ ...record, timestamp }, this.deadlineOf(index));
    });
    batch.stamp = this.stamp;
    this.batch.release();
    return batch;
  }

  #emptied(driver: Driver): QueuedBatch {
    const part = new QueuedBatch(driver.newBatch(), this.openedAt, this.cut);
    part.handedOver = this.handedOver;
    part.uncertain = this.uncertain;
    part.possiblyRepeated = this.possiblyRepeated;
    part.clockShifts = this.clockShifts;
    part.#namesPartition = this.#namesPartition;
    return part;
  }
}
