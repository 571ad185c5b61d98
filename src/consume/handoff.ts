/** One record at a time from kafkajs, which pushes, to an iteration, which pulls. */

/** A record that waits for a reader. */
interface Offer<T> {
  readonly item: T;
  readonly settle: (taken: boolean) => void;
}

/** A meeting place with room for one record: whoever comes first waits for the other. */
export class Handoff<T> {
  #offer: Offer<T> | null = null;
  #reader: ((item: T | null) => void) | null = null;
  #closed = false;

  /** Resolves with true when a reader has taken the item, with false when it was withdrawn. */
  offer(item: T): Promise<boolean> | true {
    if (this.#closed) return Promise.resolve(false);
    const reader = this.#reader;
    if (reader) {
      this.#reader = null;
      reader(item);
      return true;
    }
    return new Promise((settle) => {
      this.#offer = { item, settle };
    });
  }

  /** Takes back the waiting item, where `which` is true of it. */
  withdraw(which: (item: T) => boolean = () => true): void {
    const offer = this.#offer;
    if (!offer || !which(offer.item)) return;
    this.#offer = null;
    offer.settle(false);
  }

  /** Resolves with the next item, or with null when the handoff is closed or the signal aborted. */
  take(signal?: AbortSignal): Promise<T | null> {
    if (this.#closed || signal?.aborted) return Promise.resolve(null);
    const offer = this.#offer;
    if (offer) {
      this.#offer = null;
      offer.settle(true);
      return Promise.resolve(offer.item);
    }
    return new Promise((resolve) => {
      const onAbort = (): void => {
        this.#reader = null;
        resolve(null);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#reader = (item) => {
        signal?.removeEventListener('abort', onAbort);
        resolve(item);
      };
    });
  }

  close(): void {
    this.#closed = true;
    this.withdraw();
    this.#reader?.(null);
    this.#reader = null;
  }
}
