/** The stream that Pino writes to. */
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Stats } from '../delivery/counters.ts';
import type { Shipper } from '../delivery/shipper.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { eventTime } from './event-time.ts';
import { toJson } from './json.ts';
import { levelNumber } from './level.ts';
import { LineCutter } from './line-cutter.ts';
import { type LineHead, readHead } from './pino-line.ts';
import { asFields, type Fields, parseFields, type RecordBuilder } from './record-builder.ts';
import { applyTransform } from './transform.ts';
import { TransformedLines } from './transformed-lines.ts';

export interface PinoStreamOptions {
  readonly shipper: Pick<
    Shipper,
    'write' | 'filtered' | 'tooLarge' | 'deadLetter' | 'flush' | 'close' | 'stats'
  >;
  readonly diagnostics: Pick<Diagnostics, 'speaking'>;
  readonly builder: RecordBuilder;
  readonly transform: ((record: Record<string, unknown>) => unknown) | null;
  /** A line that is longer can wait nowhere: it is dropped. */
  readonly bufferMaxBytes: number;
  /** Called after each flush, and after close. Default: nothing. */
  readonly onSettled?: () => void;
}

type WriteCallback = (error: Error | null | undefined) => void;

/**
 * Takes Pino's lines as strings, cut anywhere, and hands each to delivery. Every write is called back at
 * once, since Pino never waits for a slow stream: delivery bounds the memory. Emits no 'error', neither for
 * what cannot be delivered nor for writes after the end, which are counted as dropped.
 */
export class DiasporaPinoStream extends Writable {
  readonly #shipper: PinoStreamOptions['shipper'];
  readonly #diagnostics: PinoStreamOptions['diagnostics'];
  readonly #builder: RecordBuilder;
  readonly #transform: PinoStreamOptions['transform'];
  readonly #onSettled: () => void;
  readonly #decoder = new StringDecoder('utf8');
  readonly #cutter: LineCutter;
  readonly #transformed: TransformedLines | null;
  /** When the chunk at hand came, in milliseconds since the epoch. */
  #arrival = 0;
  #closing: Promise<void> | null = null;

  constructor({
    shipper,
    diagnostics,
    builder,
    transform,
    bufferMaxBytes,
    onSettled = () => {},
  }: PinoStreamOptions) {
    // Object mode takes strings undecoded, and the objects that a pipeline's last transform may hand on.
    super({ objectMode: true, decodeStrings: false });
    this.#shipper = shipper;
    this.#diagnostics = diagnostics;
    this.#builder = builder;
    this.#transform = transform;
    this.#onSettled = onSettled;
    this.#cutter = new LineCutter(
      { line: (line) => this.#takeLine(line), tooLong: (beginning) => this.#dropLine(beginning) },
      bufferMaxBytes,
    );
    this.#transformed = transform
      ? new TransformedLines({
          parsed: (line, fields) =>
            this.#shipTransformed(line, fields, readHead(line, this.#arrival)),
          unparsable: (line, reason) =>
            this.#giveUp(
              line,
              readHead(line, this.#arrival),
              `the line cannot be parsed: ${reason}`,
            ),
        })
      : null;
  }

  /**
   * Calls back, never with an error, when everything written so far is settled, or when `closeTimeoutMs` is
   * over. Pino's `logger.flush(callback)` comes here, from a worker with thread-stream 4.1 and later.
   */
  flush(callback: () => void): void {
    void this.#flush().then(callback);
  }

  /** Where every record is, and how long delivery takes. */
  stats(): Stats {
    return this.#shipper.stats();
  }

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback;
    const takesMore = !this.writableEnded && !this.destroyed;
    if (takesMore && chunk !== null && chunk !== undefined) return super.write(chunk, done);
    // The Writable would emit an 'error' that nobody listens to. Delivery counts what comes after the end.
    if (!takesMore) this.#take(chunk);
    if (done) process.nextTick(done, null);
    return true;
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#take(chunk);
    callback(null);
  }

  override _final(callback: WriteCallback): void {
    void this.#close().then(() => callback(null));
  }

  /** A destroyed stream delivers what it has taken too. What destroyed it is the business of who did. */
  override _destroy(_error: Error | null, callback: WriteCallback): void {
    void this.#close().then(() => callback(null));
  }

  #take(chunk: unknown): void {
    // What the package says of itself, logged by its listener, would beget more of the same.
    if (this.#diagnostics.speaking) return;
    this.#arrival = Date.now();
    if (typeof chunk === 'string') this.#cutter.push(chunk);
    else if (chunk instanceof Uint8Array) this.#cutter.push(this.#decoder.write(chunk));
    else this.#takeObject(chunk);
  }

  #takeLine(line: string): void {
    // After the end nothing is transformed: it is only counted.
    if (this.#transformed && !this.#closing) this.#transformed.write(line);
    else this.#shipLine(line);
  }

  #dropLine(beginning: string): void {
    const { level } = readHead(beginning, this.#arrival);
    this.#shipper.tooLarge(
      level,
      `A line of more than ${this.#cutter.maxLength} characters was dropped: the buffer cannot hold it. Log less in one record, end each with a newline, or raise bufferMaxBytes.`,
    );
  }

  #takeObject(chunk: unknown): void {
    const fields = asFields(chunk);
    if (!fields) return;
    const line = toJson(fields);
    const head = {
      level: levelNumber(fields['level']),
      timestamp: eventTime(fields['time'], this.#arrival),
    };
    if (this.#transform) this.#shipTransformed(line, fields, head);
    else this.#shipper.write(this.#builder.build(line, head, fields));
  }

  #shipLine(line: string): void {
    const fields = this.#builder.readsFields ? parseFields(line) : null;
    const head = readHead(line, this.#arrival);
    this.#shipper.write(this.#builder.build(line, head, fields));
  }

  #shipTransformed(line: string, fields: Fields, head: LineHead): void {
    if (!this.#transform) return;
    const result = applyTransform(this.#transform, fields);
    if (result.kind === 'filtered') this.#shipper.filtered();
    else if (result.kind === 'failed') this.#giveUp(line, head, result.message);
    else this.#shipper.write(this.#builder.build(result.value, head, result.fields ?? fields));
  }

  #giveUp(line: string, head: LineHead, message: string): void {
    this.#shipper.deadLetter(
      this.#builder.build(line, head, null),
      'TRANSFORM_FAILED',
      `A record was not shipped: ${message}.`,
    );
  }

  async #flush(): Promise<void> {
    await this.#transformed?.received();
    await this.#shipper.flush();
    this.#onSettled();
  }

  #close(): Promise<void> {
    this.#closing ??= this.#deliverRest();
    return this.#closing;
  }

  async #deliverRest(): Promise<void> {
    this.#cutter.push(this.#decoder.end());
    this.#cutter.end();
    await this.#transformed?.end();
    await this.#shipper.close();
    this.#onSettled();
  }
}
