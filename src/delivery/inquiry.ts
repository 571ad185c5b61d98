/** A question to the brokers, asked one at a time and again with back-off until it is answered. */
import { backOff } from '../back-off.ts';
import type { RetryOptions } from '../options.ts';
import type { Answer, Failure } from './driver.ts';

export interface InquiryOptions<T> {
  readonly ask: () => Promise<Answer<T>>;
  /**
   * Answers null where this will do; else the question is asked again, and after so many milliseconds at most. Must not
   * throw.
   */
  readonly onAnswer: (value: T) => number | null;
  readonly onFailure: (failure: Failure, attempt: number) => void;
  /** Asked for each wait anew. */
  readonly retry: () => Required<RetryOptions>;
}

export class Inquiry<T> {
  readonly #options: InquiryOptions<T>;
  #asking = false;
  #attempt = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: InquiryOptions<T>) {
    this.#options = options;
  }

  /** Asks now, unless an answer, or the time for the next attempt, is awaited already. */
  start(): void {
    if (this.#asking || this.#timer || this.#stopped) return;
    this.#asking = true;
    void this.#options.ask().then((answer) => {
      if (this.#stopped) return;
      if (!answer.ok) this.#options.onFailure(answer, this.#attempt);
      const withinMs = answer.ok ? this.#options.onAnswer(answer.value) : Number.POSITIVE_INFINITY;
      // Not before: whoever is told an answer that will not do must not ask again at once.
      this.#asking = false;
      if (withinMs === null) this.#attempt = 0;
      else this.#startLater(withinMs);
    });
  }

  /** Asks now, if it is only the time for the next attempt that is awaited. */
  hurry(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.start();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #startLater(withinMs: number): void {
    const { minMs, maxMs } = this.#options.retry();
    const delay = backOff(this.#attempt++, { minMs, maxMs: Math.min(maxMs, withinMs) });
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.start();
    }, delay);
    this.#timer.unref();
  }
}
