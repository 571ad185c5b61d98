/** A batch while delivery keeps it: the encoded records, and beside each what only delivery knows. */
import type { Batch, Driver, Stamp } from './driver.ts';
import type { LogRecord, Settle, Settlement } from './record.ts';

/** Whom to tell of one record's end, until when (in `performance.now()` milliseconds), and the record's time. */
interface Waiter {
  readonly settle: Settle;
  readonly deadline: number;
  readonly timestamp: number;
}

/** A broker refuses times more than an hour ahead of its clock: they are moved back by as much, again and again. */
const clockShiftMs = 3_600_000;

export class QueuedBatch {
  readonly batch: Batch;
  /** `performance.now()` when its first record came. */
  readonly openedAt: number;
  /** Which flush it belongs to: see `Shipper.flush`. */
  readonly cut: number;
  /** Whether its records name their partition themselves. */
  readonly fixed: boolean;
  /** Set when the batch is handed to its lane; never given to other records. */
  stamp: Stamp | null = null;
  /** It is in a lane, and no longer in a queue. */
  handedOver = false;
  /** An earlier attempt was never answered: the broker may have stored it. */
  uncertain = false;
  #clockShifts = 0;
  readonly #levels: (number | null)[] = [];
  /** By the record's place in the batch; in order of time. */
  readonly #waiters = new Map<number, Waiter>();

  constructor(batch: Batch, openedAt: number, cut: number, fixed: boolean) {
    this.batch = batch;
    this.openedAt = openedAt;
    this.cut = cut;
    this.fixed = fixed;
  }

  get count(): number {
    return this.batch.count;
  }

  get bytes(): number {
    return this.batch.bytes;
  }

  append(record: LogRecord, deadline: number): void {
    this.batch.append(record);
    const { settle, timestamp } = record;
    if (settle) this.#waiters.set(this.#levels.length, { settle, deadline, timestamp });
    this.#levels.push(record.level);
  }

  /** Tells whoever waits how each record ended. */
  settle(settlement: (index: number, timestamp: number) => Settlement): void {
    const shifted = this.#clockShifts * clockShiftMs;
    for (const [index, { settle, timestamp }] of this.#waiters) {
      settle(settlement(index, timestamp - shifted));
    }
    this.#waiters.clear();
  }

  /** Moves all times back by an hour; answers how often that was done. */
  moveBackAnHour(): number {
    this.batch.shiftTime(-clockShiftMs);
    this.#clockShifts += 1;
    return this.#clockShifts;
  }

  /** When the first of those who wait stops waiting; infinite where nobody does. */
  get deadline(): number {
    for (const waiter of this.#waiters.values()) return waiter.deadline;
    return Number.POSITIVE_INFINITY;
  }

  /** The deadline of the record at `index`. */
  deadlineOf(index: number): number {
    return this.#waiters.get(index)?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** Tells those whose time is up; the records stay. */
  stopWaiting(now: number, settlement: Settlement): void {
    for (const [index, waiter] of this.#waiters) {
      if (waiter.deadline > now) return;
      this.#waiters.delete(index);
      waiter.settle(settlement);
    }
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
   * Two batches, of the records that `isFirst` names and of the others. This one's memory is given
   * back. Neither has a stamp: only a lane can say which part of the old one is whose.
   */
  divide(
    driver: Driver,
    isFirst: (record: LogRecord, index: number) => boolean,
  ): [QueuedBatch, QueuedBatch] {
    const parts: [QueuedBatch, QueuedBatch] = [this.#emptied(driver), this.#emptied(driver)];
    this.records().forEach((record, index) => {
      parts[isFirst(record, index) ? 0 : 1].append(record, this.deadlineOf(index));
    });
    this.batch.release();
    return parts;
  }

  #emptied(driver: Driver): QueuedBatch {
    const part = new QueuedBatch(driver.newBatch(), this.openedAt, this.cut, this.fixed);
    part.uncertain = this.uncertain;
    part.#clockShifts = this.#clockShifts;
    part.handedOver = this.handedOver;
    return part;
  }
}
