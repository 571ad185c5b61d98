/** Delivery's front: takes records, and answers when they are settled. */
import { randomUUID } from 'node:crypto';
import type { Diagnostics } from '../diagnostics.ts';
import type { ResolvedDelivery, RetryOptions } from '../options.ts';
import type { Stats } from './counters.ts';
import { Dispatcher } from './dispatcher.ts';
import type { DeliveryRecord, Driver } from './driver.ts';
import { Intake } from './intake.ts';
import { Lanes } from './lanes.ts';
import { Ledger } from './ledger.ts';
import type { LogRecord } from './record.ts';

/** The longest that a timer of Node waits, in milliseconds: 24 days. One that is set for longer does not wait at all. */
const longestTimeoutMs = 2 ** 31 - 1;

/** Whoever waits for a record is told that its time is up at most so many milliseconds, and at most a tenth of that time, too late. */
const expiryMostLateMs = 100;

export interface ShipperOptions extends Omit<ResolvedDelivery, 'compression'> {
  readonly topic: string;
  readonly driver: Driver;
  readonly diagnostics: Diagnostics;
  readonly retry: Required<RetryOptions>;
  /** Milliseconds after which `settle` is called with a failure; null for never. Default null. */
  readonly deliveryTimeoutMs?: number | null;
  /** Where each lane begins under a new producer id: for tests of what happens where numbers run out. Default: where the broker says. */
  readonly beginAt?: { readonly epoch: number; readonly sequence: number };
}

/** What `flush` and `close` answer: totals since start, and how many records they waited for in vain. */
export interface FlushResult {
  readonly acknowledged: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly pending: number;
}

export class Shipper {
  /** Value of the header `source-id`: one a shipper. */
  readonly sourceId: string = randomUUID();
  readonly #options: ShipperOptions;
  readonly #ledger: Ledger;
  readonly #dispatcher: Dispatcher;
  readonly #intake: Intake;
  #sourceSequence = 0;
  #pumpIsDue = false;
  #expiry: NodeJS.Timeout | null = null;
  #closing: Promise<FlushResult> | null = null;
  #givenUp = false;

  /** Starts to connect at once. */
  constructor(options: ShipperOptions) {
    const { topic, driver, diagnostics, deadLetter } = options;
    const lanes = new Lanes(driver);
    const ledger = new Ledger({ topic, deadLetter, diagnostics, source: this.sourceId });
    const shared = { topic, driver, diagnostics, lanes, ledger };
    this.#options = options;
    this.#ledger = ledger;
    this.#intake = new Intake({
      ...shared,
      bufferMaxBytes: options.bufferMaxBytes,
      onOverflow: options.onOverflow,
      deliveryTimeoutMs: options.deliveryTimeoutMs ?? null,
      lastFailure: () => this.#dispatcher.lastFailure,
      limits: {
        lingerMs: options.lingerMs,
        maxRecords: options.batchMaxRecords,
        maxBytes: options.batchMaxBytes,
      },
    });
    this.#dispatcher = new Dispatcher({
      ...shared,
      intake: this.#intake,
      retry: options.retry,
      stamped: options.acks === 'all',
      beginAt: options.beginAt,
    });
  }

  /** Takes one record. Never throws and never waits; after close it is counted as dropped. */
  write(record: LogRecord): void {
    if (this.#closing) {
      this.#ledger.receivedAfterClose(record);
      return;
    }
    this.#intake.write(this.#options.sourceHeaders ? this.#withSource(record) : record);
    const { deliveryTimeoutMs } = this.#options;
    if (record.settle && !this.#expiry && deliveryTimeoutMs) {
      this.#expireIn(deliveryTimeoutMs, deliveryTimeoutMs);
    }
    this.#pumpSoon();
  }

  /** Counts a record that a transform left out. */
  filtered(): void {
    this.#ledger.filtered();
  }

  /** Counts a record that is too large to be taken at all as dropped, and says so. */
  tooLarge(level: number | null, message: string): void {
    this.#ledger.tooLarge(level, message);
  }

  /** Takes a record that cannot be shipped because its transform failed. */
  deadLetter(record: DeliveryRecord, code: 'TRANSFORM_FAILED', message: string): void {
    this.#ledger.unshippable(record, code, message);
  }

  /**
   * Waits until every record written so far is settled, or the time is up (milliseconds, default
   * `closeTimeoutMs`; `Infinity` waits for all; what is negative or no number is the default). Never rejects.
   */
  async flush(options: { readonly timeoutMs?: number } = {}): Promise<FlushResult> {
    const cut = this.#ledger.nextCut();
    this.#intake.hurry();
    this.#dispatcher.hurry();
    await this.#settled(cut, this.#longestWait(options.timeoutMs));
    this.#dispatcher.calm();
    return this.#result(this.#ledger.pending(cut));
  }

  /**
   * Flushes, says what is not delivered when the time is up, and lets go of all connections. Never
   * rejects; a second call answers as the first.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<FlushResult> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** The process ends now: says, and keeps where it may, what is not delivered. Returns at once; after close it does nothing. */
  giveUp(): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    this.#closing ??= Promise.resolve(this.#result(0));
    this.#ledger.unresolved(this.#dispatcher.stop(), this.#dispatcher.lastFailure);
  }

  /** Bytes kept, those in flight included: for who holds back what would not fit. */
  get bufferedBytes(): number {
    return this.#ledger.counters.bufferedBytes;
  }

  /** Calls back whenever something was settled, until the function that it answers is called. */
  onSettled(listener: () => void): () => void {
    return this.#ledger.onSettled(listener);
  }

  /** Where every record is, and how long delivery takes. */
  stats(): Stats {
    return this.#ledger.counters.stats();
  }

  async #close(options: { readonly timeoutMs?: number }): Promise<FlushResult> {
    await this.flush(options);
    if (this.#expiry) clearTimeout(this.#expiry);
    if (this.#givenUp) return this.#result(0);
    this.#givenUp = true;
    const left = this.#dispatcher.stop();
    const pending = left.reduce((sum, { batch }) => sum + batch.count, 0);
    // Said before anything is waited for: the process may be made to exit meanwhile.
    this.#ledger.unresolved(left, this.#dispatcher.lastFailure);
    await this.#options.driver.close();
    return this.#result(pending);
  }

  #result(pending: number): FlushResult {
    const { acknowledged, dropped, deadLettered } = this.#ledger.counters;
    return { acknowledged, dropped, deadLettered, pending };
  }

  #longestWait(given: number | undefined): number {
    const { closeTimeoutMs } = this.#options;
    const meant = typeof given === 'number' && given >= 0 ? given : closeTimeoutMs;
    return Math.min(meant, longestTimeoutMs);
  }

  /** The timeout is the one timer of delivery that keeps the process alive. */
  async #settled(cut: number, timeoutMs: number): Promise<void> {
    const over = (): boolean => this.#ledger.isSettled(cut) || this.#dispatcher.fenced;
    if (over()) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timeout);
        stop();
        resolve();
      };
      const timeout = setTimeout(end, timeoutMs);
      const stop = this.#ledger.onSettled(() => {
        if (over()) end();
      });
    });
  }

  #withSource(record: LogRecord): LogRecord {
    const sequence = String(this.#sourceSequence++);
    return {
      ...record,
      headers: [...record.headers, ['source-id', this.sourceId], ['source-seq', sequence]],
    };
  }

  /** One pump for all records that come in the same turn of the event loop. */
  #pumpSoon(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    queueMicrotask(() => {
      this.#pumpIsDue = false;
      this.#dispatcher.pump();
    });
  }

  /** Records that come one after the other expire one after the other: several are given up at a time. */
  #expireIn(milliseconds: number, deliveryTimeoutMs: number): void {
    const least = Math.min(expiryMostLateMs, deliveryTimeoutMs / 10);
    this.#expiry = setTimeout(
      () => {
        this.#expiry = null;
        const next = this.#intake.expire(performance.now());
        if (next === Number.POSITIVE_INFINITY) return;
        this.#expireIn(next - performance.now(), deliveryTimeoutMs);
      },
      Math.ceil(Math.max(1, least, milliseconds)),
    );
    this.#expiry.unref();
  }
}
