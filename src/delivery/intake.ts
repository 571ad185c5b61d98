/** Where records wait before a lane takes them: routed to their queue, and bounded in bytes. */
import type { Diagnostics } from '../diagnostics.ts';
import { DeliveryError } from '../errors.ts';
import type { Driver } from './driver.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Ledger } from './ledger.ts';
import { dropLowestLevel, dropOldest, type Place, type Waiting } from './overflow.ts';
import { partitionOf } from './partitioning.ts';
import type { QueuedBatch } from './queued-batch.ts';
import type { LogRecord } from './record.ts';
import { type BatchLimits, RecordQueue } from './record-queue.ts';

/** No batch is ever kept smaller than this because of what a broker refused, in bytes. */
const leastBatchBytes = 1024;

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
  /** Why the last attempt failed. */
  readonly lastFailure: () => string;
}

export class Intake {
  readonly #options: IntakeOptions;
  /** Records that any lane may take. */
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
    const queue = this.#queueFor(record);
    const before = queue.openBytes;
    const batch = queue.append(record, this.#limits, ledger.currentCut, deadline);
    ledger.received(batch, batch.count === 1 ? batch.bytes : batch.bytes - before);
    if (ledger.counters.bufferedBytes > bufferMaxBytes) this.#makeRoom({ queue, batch });
  }

  /** A broker refused a batch of so many bytes as too large: the next ones are kept below half of it. */
  learnLimit(refusedBytes: number): void {
    this.#setMaxBytes(
      Math.max(leastBatchBytes, Math.min(this.#limits.maxBytes, refusedBytes >> 1)),
    );
  }

  /** A broker took a batch of so many bytes: where that is about all that is allowed now, a little more is tried. */
  unlearnLimit(acceptedBytes: number): void {
    const { maxBytes } = this.#limits;
    const most = this.#options.limits.maxBytes;
    if (maxBytes < most && acceptedBytes > maxBytes / 2) {
      this.#setMaxBytes(Math.min(most, maxBytes + (maxBytes >> 4)));
    }
  }

  /** The next batch that `lane` may take: the older of its own and of those that any lane may. */
  take(lane: Lane, now: number): QueuedBatch | null {
    const { lingerMs } = this.#limits;
    const [first, second] =
      openedAt(this.#keyless) < openedAt(lane.queue)
        ? [this.#keyless, lane.queue]
        : [lane.queue, this.#keyless];
    return first.take(now, lingerMs) ?? second.take(now, lingerMs);
  }

  /** When `lane` will have something to take (`performance.now()` milliseconds). */
  readyAt(lane: Lane): number {
    const { lingerMs } = this.#limits;
    return Math.min(lane.queue.readyAt(lingerMs), this.#keyless.readyAt(lingerMs));
  }

  /** Batches that are filling go out as soon as a lane is free. */
  hurry(): void {
    for (const queue of this.#queues()) queue.hurry();
  }

  /** The number of partitions is known, or has changed: later keyed records follow it. */
  setPartitions(partitions: number): void {
    this.#partitions = partitions;
    // What comes next goes to the one lane itself: it must not overtake what waits for any.
    if (partitions === 1) this.#keyless.hurry();
    const waiting = this.#unrouted.batches();
    for (const batch of waiting) this.#unrouted.replace(batch, null);
    this.reroute(waiting, null);
  }

  /** Sends the records of batches the way that new records would go; to `partition`, where it is not null. */
  reroute(batches: readonly QueuedBatch[], partition: number | null): void {
    if (batches.length === 0) return;
    const { ledger } = this.#options;
    for (const from of batches) {
      if (from.handedOver) ledger.takenBack(from);
      const { cut, bytes } = from;
      from.records().forEach((record, index) => {
        const routed = { ...record, partition };
        const queue = this.#queueFor(routed);
        const before = queue.openBytes;
        const to = queue.append(routed, this.#limits, cut, from.deadlineOf(index));
        ledger.moved(cut, to, to.count === 1 ? to.bytes : to.bytes - before);
      });
      ledger.counters.bufferedBytes -= bytes;
      from.batch.release();
    }
    // They have waited long enough, and a flush may be waiting for them.
    this.hurry();
  }

  /** Everything that no lane has taken yet. */
  waiting(): QueuedBatch[] {
    return [...this.#queues()].flatMap((queue) => queue.batches());
  }

  /** Gives up records whose time is up. Answers when to come again (`performance.now()` milliseconds). */
  expire(now: number): number {
    const { lanes, deliveryTimeoutMs, lastFailure } = this.#options;
    let next = Number.POSITIVE_INFINITY;
    const error = (possibly: boolean): DeliveryError =>
      new DeliveryError(
        'DELIVERY_TIMED_OUT',
        `Not acknowledged within deliveryTimeoutMs (${deliveryTimeoutMs} ms); ${possibly ? 'it is on its way and may still be stored' : 'it was not sent'}. The last failure: ${lastFailure()}`,
        possibly,
      );
    for (const queue of this.#queues()) {
      for (const batch of queue.batches()) {
        if (batch.deadline > now) next = Math.min(next, batch.deadline);
        else {
          const place = { queue, batch };
          const left = this.#thin(place, (index) => batch.deadlineOf(index) <= now, error(false));
          next = Math.min(next, left?.deadline ?? Number.POSITIVE_INFINITY);
        }
      }
    }
    for (const lane of lanes) {
      for (const batch of lane.unanswered) {
        batch.stopWaiting(now, { kind: 'failed', error: error(true) });
        next = Math.min(next, batch.deadline);
      }
    }
    return next;
  }

  #setMaxBytes(maxBytes: number): void {
    this.#limits = { ...this.#limits, maxBytes };
  }

  #queueFor({ partition, key }: LogRecord): RecordQueue {
    const { lanes } = this.#options;
    if (partition !== null) return lanes.of(partition).queue;
    // In a topic of one partition all records keep their order, with and without keys.
    if (this.#partitions === 1) return lanes.of(0).queue;
    if (key === null) return this.#keyless;
    if (this.#partitions === null) return this.#unrouted;
    return lanes.of(partitionOf(key, this.#partitions)).queue;
  }

  *#queues(): Generator<RecordQueue> {
    yield this.#keyless;
    yield this.#unrouted;
    for (const lane of this.#options.lanes) yield lane.queue;
  }

  /** `newest` is the batch that the record at hand went into. */
  #makeRoom(newest: Place): void {
    const { ledger, onOverflow, bufferMaxBytes, diagnostics, topic } = this.#options;
    const before = ledger.counters.dropped;
    const waiting: Waiting = {
      queues: () => this.#queues(),
      thin: (place, gives) => {
        const kept = this.#thin(place, gives, overflowError());
        // What comes next goes into another one: no record is encoded anew for each that comes after it.
        if (kept && place.queue.filling === kept) place.queue.seal();
        if (kept) this.#mergeIntoPrevious({ queue: place.queue, batch: kept });
      },
      drop: (place) => this.#drop(place, overflowError()),
      bufferedBytes: () => ledger.counters.bufferedBytes,
    };
    // A record that no buffer of this size can hold takes no other with it.
    if (newest.batch.count === 1 && newest.batch.bytes > bufferMaxBytes)
      this.#drop(newest, overflowError());
    else if (onOverflow === 'drop-oldest') dropOldest(waiting, bufferMaxBytes);
    else dropLowestLevel(waiting, bufferMaxBytes);
    const dropped = ledger.counters.dropped - before;
    if (dropped === 0) return;
    diagnostics.emit(
      'BUFFER_FULL',
      `The buffer for topic ${topic} is full (${bufferMaxBytes} bytes). Records dropped so far: ${ledger.counters.dropped} (${onOverflow}). The broker takes less than is logged: look at earlier lines for the cause, or raise bufferMaxBytes.`,
      { topic, records: dropped, total: ledger.counters.dropped },
    );
  }

  #mergeIntoPrevious({ queue, batch }: Place): void {
    // As they are before: a batch that was merged into another has given its memory back.
    const { cut, count, bytes } = batch;
    const merged = queue.mergeIntoPrevious(batch, this.#limits);
    if (merged) this.#options.ledger.merged({ cut, count, bytes }, merged.into, merged.grownBy);
  }

  #drop({ queue, batch }: Place, error: DeliveryError): void {
    queue.replace(batch, null);
    this.#options.ledger.dropped(batch, error);
  }

  /** Drops some records of a waiting batch. Answers the batch of those that remain, null where none do. */
  #thin(place: Place, gives: (index: number) => boolean, error: DeliveryError): QueuedBatch | null {
    const { driver, ledger } = this.#options;
    const { queue, batch } = place;
    const given = Array.from({ length: batch.count }, (_, index) => gives(index));
    if (!given.includes(false)) {
      this.#drop(place, error);
      return null;
    }
    const before = batch.bytes;
    const [gone, kept] = batch.divide(driver, (index) => given[index] === true);
    queue.replace(batch, kept);
    ledger.resized(before, gone, kept);
    if (gone.count > 0) ledger.dropped(gone, error);
    else gone.batch.release();
    return kept;
  }
}

const openedAt = (queue: RecordQueue): number => queue.oldest?.openedAt ?? Number.POSITIVE_INFINITY;

const overflowError = (): DeliveryError =>
  new DeliveryError('BUFFER_FULL', 'Dropped, because the buffer was full.', false);
