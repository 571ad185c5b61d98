/** Settles each record exactly once, and knows at every moment where all of them are. */
import type { DiagnosticCode, Diagnostics } from '../diagnostics.ts';
import { DeliveryError } from '../errors.ts';
import { Counters } from './counters.ts';
import { DeadLetters } from './dead-letters.ts';
import type { DeliveryRecord } from './driver.ts';
import type { QueuedBatch } from './queued-batch.ts';
import type { LogRecord } from './record.ts';

export interface LedgerOptions {
  readonly topic: string;
  /** Names this shipper in the dead letters' file name. */
  readonly source: string;
  /** Directory of dead letters; null for none. */
  readonly deadLetter: string | null;
  readonly diagnostics: Diagnostics;
}

export class Ledger {
  readonly counters: Counters = new Counters();
  readonly #topic: string;
  readonly #diagnostics: Diagnostics;
  readonly #deadLetters: DeadLetters | null;
  /**
   * Records not yet settled, by the flush that waits for them; flushes in their order. A batch belongs
   * to the flush of its first record: one that was filling at a flush may carry later records too.
   */
  readonly #outstanding = new Map<number, number>();
  readonly #onSettled = new Set<() => void>();
  #cut = 0;

  constructor({ topic, source, deadLetter, diagnostics }: LedgerOptions) {
    this.#topic = topic;
    this.#diagnostics = diagnostics;
    this.#deadLetters = deadLetter === null ? null : new DeadLetters(deadLetter, source);
  }

  /** The flush that records written now will belong to. */
  get currentCut(): number {
    return this.#cut;
  }

  /** One record has come in, and into a batch that has grown by so many bytes. */
  received({ cut }: QueuedBatch, grownBy: number): void {
    this.counters.written += 1;
    this.counters.buffered += 1;
    this.counters.bufferedBytes += grownBy;
    this.#expect(cut, 1);
  }

  /** One record of a batch of that flush has moved to another batch, which has grown by so many bytes. */
  moved(fromCut: number, to: QueuedBatch, grownBy: number): void {
    this.counters.bufferedBytes += grownBy;
    this.#expect(to.cut, 1);
    this.#expect(fromCut, -1);
  }

  /** All records of a batch of that flush have moved to another batch, which has grown by so many bytes. */
  merged(
    from: { readonly cut: number; readonly count: number; readonly bytes: number },
    into: QueuedBatch,
    grownBy: number,
  ): void {
    this.counters.bufferedBytes += grownBy - from.bytes;
    this.#expect(into.cut, from.count);
    this.#expect(from.cut, -from.count);
  }

  /** One record has come after close. */
  receivedAfterClose({ level, settle }: LogRecord): void {
    this.counters.written += 1;
    this.counters.drop(new Map([[level, 1]]));
    const error = new DeliveryError('CLOSED', 'Not sent: it came after close.', false);
    settle?.({ kind: 'failed', error });
  }

  /** A transform has left one record out. */
  filtered(): void {
    this.counters.written += 1;
    this.counters.filtered += 1;
  }

  /** Draws a line behind the last record written. Answers its number, for `settled`. */
  nextCut(): number {
    this.#cut += 1;
    return this.#cut - 1;
  }

  /** Whether all records up to that line are settled. */
  isSettled(cut: number): boolean {
    for (const first of this.#outstanding.keys()) return first > cut;
    return true;
  }

  /** Records up to that line that are not settled. */
  pending(cut: number): number {
    let count = 0;
    for (const [of, records] of this.#outstanding) if (of <= cut) count += records;
    return count;
  }

  /** Calls back whenever something was settled, until the function that it answers is called. */
  onSettled(listener: () => void): () => void {
    this.#onSettled.add(listener);
    return () => this.#onSettled.delete(listener);
  }

  handedOver(batch: QueuedBatch): void {
    batch.handedOver = true;
    this.counters.buffered -= batch.count;
    this.counters.inFlight += batch.count;
  }

  takenBack(batch: QueuedBatch): void {
    batch.handedOver = false;
    this.counters.inFlight -= batch.count;
    this.counters.buffered += batch.count;
  }

  /** A batch was replaced by others of the same records. */
  resized(before: number, ...after: readonly QueuedBatch[]): void {
    this.counters.bufferedBytes -= before;
    for (const { bytes, count } of after) if (count > 0) this.counters.bufferedBytes += bytes;
  }

  /** `baseOffset` is null where the broker proved the batch stored without telling where. */
  acknowledged(
    batch: QueuedBatch,
    partition: number,
    baseOffset: bigint | null,
    logAppendTime: number | null,
  ): void {
    this.counters.acknowledged += batch.count;
    if (batch.possiblyRepeated) this.counters.possiblyRepeated += batch.count;
    this.counters.latency(performance.now() - batch.openedAt);
    batch.settle((index, timestamp) => ({
      kind: 'acknowledged',
      partition,
      offset: baseOffset === null ? null : baseOffset + BigInt(index),
      timestamp: logAppendTime ?? timestamp,
    }));
    this.#leave(batch);
  }

  dropped(batch: QueuedBatch, error: DeliveryError): void {
    this.counters.drop(batch.levels());
    batch.settle(() => ({ kind: 'failed', error }));
    this.#leave(batch);
  }

  /** The broker will never take these records: to the dead letters, or, without a directory, dropped and said. */
  undeliverable(
    batch: QueuedBatch,
    partition: number,
    code: DiagnosticCode,
    message: string,
  ): void {
    const stamp = batch.stamp;
    const error = new DeliveryError(code, message, batch.uncertain);
    if (this.#keep(batch.records(), { partition, stamp, code, message })) {
      this.counters.deadLettered += batch.count;
      batch.settle(() => ({ kind: 'failed', error }));
      this.#leave(batch);
    } else {
      this.dropped(batch, error);
    }
  }

  /** A record that no buffer can hold. */
  tooLarge(level: number | null, message: string): void {
    this.counters.written += 1;
    this.counters.drop(new Map([[level, 1]]));
    this.#diagnostics.emit('RECORD_TOO_LARGE', message, { topic: this.#topic, records: 1 });
  }

  /** A record that never became one of Kafka's, such as one whose transform failed. */
  unshippable(record: DeliveryRecord, code: DiagnosticCode, message: string): void {
    this.counters.written += 1;
    if (this.#keep([record], { partition: null, stamp: null, code, message })) {
      this.counters.deadLettered += 1;
    } else {
      this.counters.drop(new Map([[null, 1]]));
    }
  }

  /** Close's time is up. Says once how many records are left, why, and where they went. */
  unresolved(
    batches: readonly { readonly batch: QueuedBatch; readonly partition: number | null }[],
    why: string,
  ): void {
    let count = 0;
    let kept = 0;
    let sent = 0;
    for (const { batch, partition } of batches) {
      const message = `Not delivered at close: ${why}`;
      if (this.#deadLetters) {
        const circumstances = {
          partition,
          stamp: batch.stamp,
          code: 'NOT_DELIVERED' as const,
          message,
        };
        if (this.#keep(batch.records(), circumstances, 'quietly')) kept += batch.count;
      }
      count += batch.count;
      this.counters.unresolved += batch.count;
      if (batch.uncertain) sent += batch.count;
      const possiblyDelivered = batch.handedOver;
      batch.settle(() => ({
        kind: 'failed',
        error: new DeliveryError('NOT_DELIVERED', message, possiblyDelivered),
      }));
      this.#leave(batch);
    }
    const { dropped } = this.counters;
    if (count === 0 && dropped === 0) return;
    const place = this.#deadLetters
      ? ` ${kept} of them are in ${this.#deadLetters.file}.`
      : ' They are not kept; set deadLetter to a directory to keep such records.';
    const because = count === 0 ? '' : ` Why: ${why.replace(/\.$/, '')}.`;
    const earlier = dropped === 0 ? '' : ` Dropped before: ${dropped}.`;
    const doubt = sent === 0 ? '' : ` Sent without an answer, and perhaps stored: ${sent}.`;
    this.#diagnostics.emit(
      'NOT_DELIVERED',
      `Records for topic ${this.#topic} not delivered at close: ${count}.${because}${doubt}${count === 0 ? '' : place}${earlier}`,
      { topic: this.#topic, records: count, kept, perhapsStored: sent, dropped },
    );
  }

  #keep(
    records: readonly DeliveryRecord[],
    at: {
      readonly partition: number | null;
      readonly stamp: QueuedBatch['stamp'];
      readonly code: DiagnosticCode;
      readonly message: string;
    },
    quietly?: 'quietly',
  ): boolean {
    const { code, message, partition, stamp } = at;
    const detail = { topic: this.#topic, records: records.length };
    if (!this.#deadLetters) {
      this.#diagnostics.emit(
        code,
        `${message} It was dropped; set deadLetter to a directory to keep such records.`,
        detail,
      );
      return false;
    }
    try {
      this.#deadLetters.write(records, {
        reason: code,
        message,
        topic: this.#topic,
        partition,
        stamp,
      });
    } catch (error) {
      this.#diagnostics.emit(
        'DEAD_LETTER_UNWRITABLE',
        `Cannot write ${this.#deadLetters.file} (${error instanceof Error ? error.message : error}). Records lost: ${records.length}. Make the directory writable, or free space. They were to be kept because: ${message}`,
        detail,
      );
      return false;
    }
    if (!quietly) {
      this.#diagnostics.emit(code, `${message} It is in ${this.#deadLetters.file}.`, detail);
    }
    return true;
  }

  /** A batch is settled and its memory free. */
  #leave(batch: QueuedBatch): void {
    const { count, cut } = batch;
    if (batch.handedOver) this.counters.inFlight -= count;
    else this.counters.buffered -= count;
    this.counters.bufferedBytes -= batch.bytes;
    this.#expect(cut, -count);
    batch.batch.release();
    for (const listener of this.#onSettled) listener();
  }

  #expect(cut: number, more: number): void {
    const count = (this.#outstanding.get(cut) ?? 0) + more;
    if (count > 0) this.#outstanding.set(cut, count);
    else this.#outstanding.delete(cut);
  }
}
