/** A question to the brokers, asked one at a time and again with back-off until it is answered. */
import { backOff } from '../back-off.ts';
import type { RetryOptions } from '../options.ts';
import type { Answer, Failure } from './driver.ts';

export interface InquiryOptions<T> {
  readonly ask: () => Promise<Answer<T>>;
  /** Answers whether this will do; where it will not, the question is asked again. Must not throw. */
  readonly onAnswer: (value: T) => boolean;
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
      this.#asking = false;
      if (this.#stopped) return;
      if (!answer.ok) this.#options.onFailure(answer, this.#attempt);
      if (answer.ok && this.#options.onAnswer(answer.value)) this.#attempt = 0;
      else this.#startLater();
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

  #startLater(): void {
    const delay = backOff(this.#attempt++, this.#options.retry());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.start();
    }, delay);
    this.#timer.unref();
  }
}
