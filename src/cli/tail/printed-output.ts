/** Writes what is printed, no faster than it is taken, and tells how far it was taken. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { within } from '../../deadline.ts';
import { systemErrorCode } from '../../errors.ts';

/** A place that was passed. */
export interface Passed {
  readonly partition: number;
  readonly offset: bigint;
}

/** Passed, once so many writes are accepted: the last offset of each partition. */
interface Waiting {
  readonly writes: number;
  readonly offsets: Map<number, bigint>;
}

/** One a stream. Where the reader of a pipe has gone, nothing more is written. */
export class PrintedOutput {
  readonly #stream: Writable;
  readonly #gone = new AbortController();
  readonly #accepted = new Map<number, bigint>();
  #waiting: Waiting[] = [];
  #writes = 0;
  #acceptedWrites = 0;
  #onIdle = (): void => undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', (error) => this.#gone.abort(error));
  }

  /** Aborted when nobody takes the output any more; the reason is the stream's error. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether the reader of a pipe, such as `head`, simply had enough. */
  get hadEnough(): boolean {
    return systemErrorCode(this.#gone.signal.reason) === 'EPIPE';
  }

  /** Of each partition the last offset of which the system has taken all output, that of its earlier records included. */
  get accepted(): ReadonlyMap<number, bigint> {
    return this.#accepted;
  }

  /** Resolves when more may be written. */
  async write(text: string | Buffer, passed: Passed): Promise<void> {
    if (this.gone.aborted) return;
    this.#writes += 1;
    this.#pass(passed);
    const mine = this.#writes;
    const goesOn = this.#stream.write(text, (error) => {
      if (!error) this.#accept(mine);
    });
    if (!goesOn) await once(this.#stream, 'drain', { signal: this.gone }).catch(() => undefined);
  }

  /** For a record that prints nothing. */
  skip(passed: Passed): void {
    if (this.gone.aborted) return;
    this.#pass(passed);
    this.#accept(this.#acceptedWrites);
  }

  /** False where the output was not taken: its reader has gone, or takes longer than this (milliseconds). */
  async finish(timeoutMs: number): Promise<boolean> {
    if (this.#acceptedWrites < this.#writes && !this.gone.aborted) {
      const idle = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
      const late = (): Error => new Error('the output is not taken');
      await within(idle, { timeoutMs, late, signal: this.gone }).catch(() => undefined);
    }
    return this.#acceptedWrites === this.#writes;
  }

  #pass({ partition, offset }: Passed): void {
    const last = this.#waiting.at(-1);
    if (last?.writes === this.#writes) last.offsets.set(partition, offset);
    else this.#waiting.push({ writes: this.#writes, offsets: new Map([[partition, offset]]) });
  }

  #accept(writes: number): void {
    this.#acceptedWrites = writes;
    const still = this.#waiting.findIndex((entry) => entry.writes > writes);
    const done = this.#waiting.splice(0, still === -1 ? this.#waiting.length : still);
    for (const { offsets } of done) {
      for (const [partition, offset] of offsets) this.#accepted.set(partition, offset);
    }
    if (this.#acceptedWrites === this.#writes) this.#onIdle();
  }
}
