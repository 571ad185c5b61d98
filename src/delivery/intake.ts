/** Where records wait before a lane takes them: routed, bounded in bytes, and given up by rule when the bound is met. */
import type { Diagnostics } from '../diagnostics.ts';
import { DeliveryError } from '../errors.ts';
import type { Driver } from './driver.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Ledger } from './ledger.ts';
import { partitionOf } from './partitioning.ts';
import type { QueuedBatch } from './queued-batch.ts';
import type { LogRecord } from './record.ts';
import { type BatchLimits, RecordQueue } from './record-queue.ts';

/** A record without a level gives way as if it were `info`. */
const unknownLevel = 30;

/** Making room by level decodes batches: done in steps of this part of the buffer, its cost is spread thin. */
const levelStep = 1 / 16;

export interface IntakeOptions {
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly topic: string;
  readonly diagnostics: Diagnostics;
  readonly limits: BatchLimits;
  readonly bufferMaxBytes: number;
  readonly onOverflow: 'drop-oldest' | 'drop-lowest-level';
  /** Milliseconds after which whoever waits for a record is told that it failed; null for never. */
  readonly deliveryTimeoutMs: number | null;
  readonly lanes: Lanes;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #keyless: RecordQueue;
  /** Keyed records that came before the number of partitions was known. */
  readonly #unrouted: RecordQueue;
  #partitions: number | null = null;
  #limits: BatchLimits;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#keyless = new RecordQueue(options.driver);
    this.#unrouted = new RecordQueue(options.driver);
    this.#limits = options.limits;
  }

  write(record: LogRecord): void {
    const { ledger, deliveryTimeoutMs, bufferMaxBytes } = this.#options;
    const deadline =
      record.settle && deliveryTimeoutMs !== null
        ? performance.now() + deliveryTimeoutMs
        : Number.POSITIVE_INFINITY;
    ledger.received(this.#append(record, ledger.currentCut, deadline));
    if (ledger.counters.bufferedBytes > bufferMaxBytes) this.#makeRoom();
  }

  /** A broker refused a batch of so many bytes as too large: later ones are kept below half of it. */
  learnLimit(refusedBytes: number): void {
    const maxBytes = Math.max(1024, Math.min(this.#limits.maxBytes, refusedBytes >> 1));
    this.#limits = { ...this.#limits, maxBytes };
  }

  /** The next batch that `lane` may take: its own before those that any lane may. */
  take(lane: Lane, now: number): QueuedBatch | null {
    const { lingerMs } = this.#options.limits;
    return lane.queue.take(now, lingerMs) ?? this.#keyless.take(now, lingerMs);
  }

  /** When `lane` will have something to take (`performance.now()` milliseconds). */
  readyAt(lane: Lane): number {
    const { lingerMs } = this.#options.limits;
    return Math.min(lane.queue.readyAt(lingerMs), this.#keyless.readyAt(lingerMs));
  }

  /** Closes all batches that are filling. */
  seal(): void {
    for (const queue of this.#queues()) queue.seal();
  }

  /** The number of partitions is known, or has changed: later keyed records follow it. */
  setPartitions(partitions: number): void {
    this.#partitions = partitions;
    const waiting = this.#unrouted.batches();
    for (const batch of waiting) this.#unrouted.replace(batch, null);
    this.reroute(waiting);
  }

  /** Sends the records of batches the way that new records would go. */
  reroute(batches: readonly QueuedBatch[]): void {
    const { ledger } = this.#options;
    for (const batch of batches) {
      if (batch.handedOver) ledger.takenBack(batch);
      ledger.counters.bufferedBytes -= batch.bytes;
      batch.records().forEach((record, index) => {
        const grown = this.#append(record, batch.cut, batch.deadlineOf(index));
        ledger.counters.bufferedBytes += grown;
      });
      batch.batch.release();
    }
  }

  /** Everything that no lane has taken yet. */
  waiting(): QueuedBatch[] {
    return [...this.#queues()].flatMap((queue) => queue.batches());
  }

  /** Gives up records whose time is up. Answers when to come again (`performance.now()` milliseconds). */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    const error = (possibly: boolean): DeliveryError =>
      new DeliveryError(
        'DELIVERY_TIMED_OUT',
        `Not acknowledged within deliveryTimeoutMs (${this.#options.deliveryTimeoutMs} ms); ${possibly ? 'it is on its way and may still be stored' : 'it was not sent'}.`,
        possibly,
      );
    for (const queue of this.#queues()) {
      for (const batch of queue.batches()) {
        if (batch.deadline <= now) {
          this.#thin(queue, batch, (_, index) => batch.deadlineOf(index) <= now, error(false));
        }
      }
      for (const { deadline } of queue.batches()) next = Math.min(next, deadline);
    }
    for (const lane of this.#options.lanes) {
      for (const batch of lane.unanswered) {
        batch.stopWaiting(now, { kind: 'failed', error: error(true) });
        next = Math.min(next, batch.deadline);
      }
    }
    return next;
  }

  #append(record: LogRecord, cut: number, deadline: number): number {
    return this.#queueFor(record).append(record, this.#limits, cut, deadline);
  }

  #queueFor({ partition, key }: LogRecord): RecordQueue {
    if (partition !== null) return this.#options.lanes.of(partition).queue;
    if (key === null) return this.#keyless;
    if (this.#partitions === null) return this.#unrouted;
    return this.#options.lanes.of(partitionOf(key, this.#partitions)).queue;
  }

  *#queues(): Generator<RecordQueue> {
    yield this.#keyless;
    yield this.#unrouted;
    for (const lane of this.#options.lanes) yield lane.queue;
  }

  #makeRoom(): void {
    const { ledger, onOverflow, bufferMaxBytes, diagnostics, topic } = this.#options;
    const before = ledger.counters.dropped;
    if (onOverflow === 'drop-oldest') this.#dropOldest();
    else this.#dropLowestLevel();
    const dropped = ledger.counters.dropped - before;
    if (dropped === 0) return;
    diagnostics.emit(
      'BUFFER_FULL',
      `The buffer for topic ${topic} is full (${bufferMaxBytes} bytes): ${ledger.counters.dropped} records dropped so far (${onOverflow}). The broker takes less than is logged: look at earlier lines for the cause, or raise bufferMaxBytes.`,
      { topic, records: dropped, total: ledger.counters.dropped },
    );
  }

  #dropOldest(): void {
    while (this.#excess() > 0) {
      const found = this.#oldest();
      if (!found) return;
      found.queue.replace(found.batch, null);
      this.#options.ledger.dropped(found.batch, overflowError());
    }
  }

  #oldest(): Place | null {
    let found: Place | null = null;
    for (const queue of this.#queues()) {
      const batch = queue.oldest;
      if (batch && (!found || batch.openedAt < found.batch.openedAt)) found = { queue, batch };
    }
    return found;
  }

  #dropLowestLevel(): void {
    const target = this.#options.bufferMaxBytes * (1 - levelStep);
    const places = [...this.#queues()]
      .flatMap((queue) => queue.batches().map((batch): Place => ({ queue, batch })))
      .sort((one, other) => one.batch.openedAt - other.batch.openedAt);
    const levels = new Set(places.flatMap(({ batch }) => [...batch.levels().keys()].map(rank)));
    let left = places;
    for (const lowest of [...levels].sort((one, other) => one - other)) {
      const later: Place[] = [];
      for (const place of left) {
        if (this.#options.ledger.counters.bufferedBytes <= target) return;
        const { queue, batch } = place;
        const has = [...batch.levels().keys()].some((level) => rank(level) === lowest);
        const remains = has
          ? this.#thin(queue, batch, ({ level }) => rank(level) === lowest, overflowError())
          : batch;
        if (remains) later.push({ queue, batch: remains });
      }
      left = later;
    }
  }

  /** Drops some records of a waiting batch. Answers the batch of those that remain, null where none do. */
  #thin(
    queue: RecordQueue,
    batch: QueuedBatch,
    gives: (record: LogRecord, index: number) => boolean,
    error: DeliveryError,
  ): QueuedBatch | null {
    const { driver, ledger } = this.#options;
    const before = batch.bytes;
    const [gone, kept] = batch.divide(driver, gives);
    queue.replace(batch, kept);
    ledger.resized(before, gone, kept);
    if (gone.count > 0) ledger.dropped(gone, error);
    else gone.batch.release();
    if (kept.count > 0) return kept;
    kept.batch.release();
    return null;
  }

  #excess(): number {
    return this.#options.ledger.counters.bufferedBytes - this.#options.bufferMaxBytes;
  }
}

/** A batch and the queue that it waits in. */
interface Place {
  readonly queue: RecordQueue;
  readonly batch: QueuedBatch;
}

const rank = (level: number | null): number => level ?? unknownLevel;

const overflowError = (): DeliveryError =>
  new DeliveryError('BUFFER_FULL', 'Dropped, because the buffer was full.', false);
