/** Writes what is printed, no faster than it is taken, and tells how far it was taken. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { systemErrorCode } from '../../errors.ts';
import { takenInTime } from '../output.ts';

/** A place that was passed. */
export interface Passed {
  readonly partition: number;
  /** Called once the system has taken all output up to here, unless a later place of the partition is passed by then. */
  readonly done: () => void;
}

/** Passed, once so many writes are accepted: the last place of each partition. */
interface Waiting {
  readonly writes: number;
  readonly done: Map<number, () => void>;
}

/** One a stream. Where the reader of a pipe has gone, nothing more is written. */
export class PrintedOutput {
  readonly #stream: Writable;
  readonly #hurry: AbortSignal;
  readonly #gone = new AbortController();
  #waiting: Waiting[] = [];
  #writes = 0;
  #acceptedWrites = 0;
  #onIdle = (): void => undefined;

  /** Whoever reads the output is waited for until `hurry` is aborted. */
  constructor(stream: Writable, hurry: AbortSignal) {
    this.#stream = stream;
    this.#hurry = hurry;
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

  /** Resolves when more may be written; once there is a hurry, at once. */
  async write(text: string | Buffer, passed: Passed): Promise<void> {
    if (this.gone.aborted) return;
    this.#writes += 1;
    this.#pass(passed);
    const mine = this.#writes;
    const goesOn = this.#stream.write(text, (error) => {
      if (!error) this.#accept(mine);
    });
    if (goesOn) return;
    const signal = AbortSignal.any([this.gone, this.#hurry]);
    await once(this.#stream, 'drain', { signal }).catch(() => undefined);
  }

  /** For a record that prints nothing. */
  skip(passed: Passed): void {
    if (this.gone.aborted) return;
    this.#pass(passed);
    this.#accept(this.#acceptedWrites);
  }

  /** Resolves once all output is taken; with false where its reader has gone, or has not taken it some time after `hurry`. */
  async finish(): Promise<boolean> {
    if (this.#acceptedWrites < this.#writes && !this.gone.aborted) {
      const over = new Promise<void>((resolve) => {
        this.#onIdle = resolve;
        this.gone.addEventListener('abort', () => resolve(), { once: true });
      });
      await takenInTime(over, this.#hurry);
    }
    return this.#acceptedWrites === this.#writes;
  }

  #pass({ partition, done }: Passed): void {
    const last = this.#waiting.at(-1);
    if (last?.writes === this.#writes) last.done.set(partition, done);
    else this.#waiting.push({ writes: this.#writes, done: new Map([[partition, done]]) });
  }

  #accept(writes: number): void {
    this.#acceptedWrites = writes;
    const still = this.#waiting.findIndex((entry) => entry.writes > writes);
    const accepted = this.#waiting.splice(0, still === -1 ? this.#waiting.length : still);
    for (const { done } of accepted) for (const tell of done.values()) tell();
    if (this.#acceptedWrites === this.#writes) this.#onIdle();
  }
}
