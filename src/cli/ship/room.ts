/** Holds back what the buffer has no room for. */
import type { Shipper } from '../../delivery/shipper.ts';

export interface RoomOptions {
  readonly shipper: Pick<Shipper, 'bufferedBytes' | 'onSettled'>;
  /** Of the whole buffer, which keeps no bound of its own. */
  readonly maxBytes: number;
  /** Aborted when nothing more is read: what is in hand may fill the whole buffer. */
  readonly stop: AbortSignal;
  /** Aborted when there is no time left to wait. */
  readonly expired: AbortSignal;
  /** How long a record may wait for room while there is more to read, in milliseconds; `Infinity` for as long as it takes. */
  readonly patienceMs: number;
  /** A record has waited for so long: `stop` and `expired` must be aborted when this returns. */
  readonly onImpatient: () => void;
}

export class Room {
  readonly #options: RoomOptions;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /**
   * Whether so many bytes fit now. While there is more to read, only half of the buffer is used: what a record takes is an
   * estimate, and the whole is never to be exceeded. What is larger than that half fits into the empty buffer alone.
   */
  has(bytes: number): boolean {
    const { shipper, maxBytes, stop } = this.#options;
    const { bufferedBytes } = shipper;
    const most = stop.aborted ? maxBytes : maxBytes / 2;
    return bufferedBytes === 0 || bufferedBytes + bytes <= most;
  }

  /** Resolves once so many bytes fit, or there is no time left to wait. */
  async for(bytes: number): Promise<void> {
    const { expired, stop, patienceMs, onImpatient } = this.#options;
    const until = performance.now() + patienceMs;
    while (!this.has(bytes) && !expired.aborted) {
      if (!stop.aborted && performance.now() >= until) onImpatient();
      else await this.#change(until - performance.now());
    }
  }

  #change(timeoutMs: number): Promise<void> {
    const { shipper, stop, expired } = this.#options;
    // Once aborted, a signal tells nothing more.
    const signals = [stop, expired].filter(({ aborted }) => !aborted);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        forget();
        for (const signal of signals) signal.removeEventListener('abort', end);
        resolve();
      };
      const isBounded = !stop.aborted && timeoutMs < Number.POSITIVE_INFINITY;
      const timer = isBounded ? setTimeout(end, Math.ceil(timeoutMs)) : undefined;
      const forget = shipper.onSettled(end);
      for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    });
  }
}
