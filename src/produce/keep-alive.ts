/** Keeps the process alive while somebody waits for a promise: sockets and timers by themselves do not. */

/** `setInterval` takes no more, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

export class KeepAlive {
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Until `release` is called as often. */
  hold(): void {
    this.#waiting += 1;
    this.#timer ??= setInterval(() => {}, longestTimerMs);
  }

  release(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Holds until the promise is settled. */
  async during<T>(promise: Promise<T>): Promise<T> {
    this.hold();
    try {
      return await promise;
    } finally {
      this.release();
    }
  }
}
