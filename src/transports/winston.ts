/** Winston's transport: `createLogger({ transports: [new DiasporaTransport(options)] })`. */
import Transport from 'winston-transport';
import type { Stats } from '../delivery/counters.ts';
import type { FlushResult, Shipper } from '../delivery/shipper.ts';
import { createDiagnostics, type Diagnostics } from '../diagnostics.ts';
import { resolveTransport, type TransportOptions } from '../options.ts';
import { openShipper } from '../produce/connect.ts';
import { eventTime } from './event-time.ts';
import { flushBeforeExit } from './exit-flush.ts';
import { toJson } from './json.ts';
import { levelNumber } from './level.ts';
import type { LineHead } from './pino-line.ts';
import { asFields, RecordBuilder } from './record-builder.ts';
import { applyTransform, loadTransform } from './transform.ts';

export type { Stats } from '../delivery/counters.ts';
export type { FlushResult } from '../delivery/shipper.ts';
export type { TransportOptions } from '../options.ts';
export type { Transform } from './transform.ts';

/** What every Winston transport takes. */
export type WinstonOptions = Pick<
  Transport.TransportStreamOptions,
  'format' | 'level' | 'silent' | 'handleExceptions' | 'handleRejections'
>;

/** Options of `DiasporaTransport`. */
export interface DiasporaTransportOptions extends TransportOptions, WinstonOptions {}

/** Where Winston and its formats put what they made of a record (triple-beam). */
const levelOf = Symbol.for('level');
const messageOf = Symbol.for('message');

/**
 * Ships each record, as the logger's format wrote it, to a Kafka topic; where no format did, as JSON.
 *
 * ```js
 * import winston from 'winston';
 * import { DiasporaTransport } from 'diaspora-logger/winston';
 * const logger = winston.createLogger({ transports: [new DiasporaTransport({ topic: 'app-logs' })] });
 * ```
 *
 * The constructor throws `ConfigurationError`; nothing after that throws or emits 'error'. 'logged' is emitted
 * when a record is taken, and 'finish', after `logger.end()`, when all are delivered or `closeTimeoutMs` is over.
 * What comes after the end is counted as dropped. Lost at `process.exit()`: whatever was not flushed.
 */
export class DiasporaTransport extends Transport {
  readonly #shipper: Shipper;
  readonly #diagnostics: Diagnostics;
  readonly #builder: RecordBuilder;
  readonly #transform: ((record: Record<string, unknown>) => unknown) | null;
  readonly #leaveExit: () => void;
  #closing: Promise<void> | null = null;

  constructor(options: DiasporaTransportOptions = {}) {
    // Taken apart, what is no object would look like one without options.
    const given = typeof options === 'object' && options !== null;
    const { format, level, silent, handleExceptions, handleRejections, ...own } = given
      ? options
      : {};
    const resolved = resolveTransport(given ? own : options);
    super({
      ...(format !== undefined && { format }),
      ...(level !== undefined && { level }),
      ...(silent !== undefined && { silent }),
      ...(handleExceptions !== undefined && { handleExceptions }),
      ...(handleRejections !== undefined && { handleRejections }),
    });
    this.#transform = resolved.transform === null ? null : loadTransform(resolved.transform);
    this.#diagnostics = createDiagnostics(resolved.diagnostics);
    this.#builder = new RecordBuilder(resolved);
    this.#shipper = openShipper(resolved, this.#diagnostics);
    this.#leaveExit = flushBeforeExit(this.#shipper);
  }

  /** Called by Winston, which shares its stream with other transports: calls back at once. */
  override log(info: unknown, callback?: () => void): void {
    // What the package says of itself, logged by its listener, would beget more of the same.
    if (!this.#diagnostics.speaking) {
      this.#ship(info);
      if (this.listenerCount('logged') > 0) setImmediate(() => this.emit('logged', info));
    }
    callback?.();
  }

  /**
   * Waits until every record logged so far is settled, or the time is up (milliseconds, default
   * `closeTimeoutMs`; `Infinity` waits for all; what is negative or no number is the default). Never rejects.
   */
  flush(options: { readonly timeoutMs?: number } = {}): Promise<FlushResult> {
    return this.#shipper.flush(options);
  }

  /** Where every record is, and how long delivery takes. */
  stats(): Stats {
    return this.#shipper.stats();
  }

  /** Called by Winston when the transport is removed, or its logger closed: delivers what is left, then finishes. */
  override close(): void {
    if (this.writable) this.end();
  }

  override write(
    info: unknown,
    encoding?: BufferEncoding | ((error: Error | null | undefined) => void),
    callback?: (error: Error | null | undefined) => void,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback;
    // Winston's streams, of readable-stream 3, have no `writableEnded`.
    const takesMore = this.writable && !this.destroyed;
    if (takesMore && asFields(info)) return super.write(info, done);
    // A write after the end would be an 'error' that nobody listens to. Delivery counts it as dropped.
    if (!takesMore && this.#wants(info)) this.#ship(info);
    if (done) process.nextTick(done, null);
    return true;
  }

  override _final(callback: (error?: Error | null) => void): void {
    void this.#deliverRest().then(() => callback());
  }

  /** A destroyed transport delivers what it has taken too. What destroyed it is the business of who did. */
  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    void this.#deliverRest().then(() => callback());
  }

  #deliverRest(): Promise<void> {
    this.#closing ??= this.#shipper.close().then(() => this.#leaveExit());
    return this.#closing;
  }

  /** Whether Winston's base class, which sees no write after the end, would have let it through. */
  #wants(info: unknown): boolean {
    if (!asFields(info)) return false;
    try {
      const accept: unknown = Reflect.get(this, '_accept');
      return (
        typeof accept !== 'function' || Reflect.apply(accept, this, [{ chunk: info }]) === true
      );
    } catch {
      // A transport that no logger has ever had knows no levels.
      return this.silent !== true;
    }
  }

  #ship(info: unknown): void {
    const fields = asFields(info);
    if (!fields) return;
    const head: LineHead = {
      level: levelNumber(Reflect.get(fields, levelOf) ?? fields['level']),
      timestamp: eventTime(fields['timestamp'], Date.now()),
    };
    if (!this.#transform) {
      this.#shipper.write(this.#builder.build(lineOf(fields), head, fields));
    } else {
      const result = applyTransform(this.#transform, fields);
      if (result.kind === 'filtered') {
        this.#shipper.filtered();
      } else if (result.kind === 'failed') {
        this.#shipper.deadLetter(
          this.#builder.build(lineOf(fields), head, fields),
          'TRANSFORM_FAILED',
          `A record was not shipped: ${result.message}.`,
        );
      } else {
        this.#shipper.write(this.#builder.build(result.value, head, result.fields ?? fields));
      }
    }
    // Winston ends the process soon after an exception that it handles.
    if (fields['exception'] === true || fields['rejection'] === true) void this.#shipper.flush();
  }
}

export default DiasporaTransport;

/** The text that a format made, else the record as JSON. */
function lineOf(fields: Readonly<Record<string, unknown>>): string {
  const made: unknown = Reflect.get(fields, messageOf);
  return typeof made === 'string' ? made : toJson(fields);
}
