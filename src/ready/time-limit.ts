/** How long somebody waits: until a time is over, or a signal is aborted. */

export class TimeLimit {
  readonly #limitMs: number;
  readonly #startedAt = performance.now();
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #forget: () => void;

  /** Keeps the process alive until `close`: sockets of this package do not. */
  constructor(limitMs: number, signal?: AbortSignal) {
    this.#limitMs = limitMs;
    this.#timer = setTimeout(() => this.#ending.abort(), limitMs);
    const onAbort = (): void => this.#ending.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#forget = () => signal?.removeEventListener('abort', onAbort);
  }

  /** Aborted once the waiting is over, for either reason. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  get remainingMs(): number {
    return Math.max(0, this.#limitMs - this.elapsedMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#forget();
  }
}
