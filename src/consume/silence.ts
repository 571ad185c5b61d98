/** Tells that a reading whose end is known has stopped short of it. */
import { deadline } from '../deadline.ts';
import type { Remaining } from './remaining.ts';

/** Runs while a record is waited for and one may come: where all that is left is paused, none may. */
export class Silence {
  readonly #left: Remaining;
  readonly #timeoutMs: number;
  readonly #onEnd: () => void;
  readonly #paused = new Set<number>();
  #isWaiting = false;
  #disarm = (): void => undefined;

  /** `onEnd` is called once nothing has come for `timeoutMs`. */
  constructor(left: Remaining, timeoutMs: number, onEnd: () => void) {
    this.#left = left;
    this.#timeoutMs = timeoutMs;
    this.#onEnd = onEnd;
  }

  /** Somebody asks for the next record. */
  begin(): void {
    this.#isWaiting = true;
    this.#arm();
  }

  /** It has come, or nobody wants it any more. */
  end(): void {
    this.#isWaiting = false;
    this.#disarm();
  }

  pause(partition: number): void {
    this.#paused.add(partition);
    if (!this.#isAnyExpected()) this.#disarm();
  }

  /** The reading has moved on, over what holds no record: aborted transactions, the marks of any. */
  moved(): void {
    this.#arm();
  }

  /** What comes of it now was not fetched before: that takes as long as at the beginning. */
  resume(partition: number): void {
    if (this.#paused.delete(partition)) this.#arm();
  }

  #arm(): void {
    this.#disarm();
    if (this.#isWaiting && this.#isAnyExpected()) {
      this.#disarm = deadline(this.#timeoutMs, this.#onEnd);
    }
  }

  #isAnyExpected(): boolean {
    for (const partition of this.#left.partitions) {
      if (!this.#paused.has(partition)) return true;
    }
    return false;
  }
}
