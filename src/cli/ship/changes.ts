/** Tells when a file may have changed: at once where the system tells, and now and then where it does not. */
import { type FSWatcher, watch } from 'node:fs';

/** Writes that follow each other so fast, in milliseconds, are looked at together. */
const gatherMs = 20;

export class Changes {
  readonly #path: string;
  #watcher: FSWatcher | null = null;
  #changed = false;
  #wake: (() => void) | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Watches what has the name now: a watcher stays with its file. */
  watch(): void {
    this.close();
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#notice());
      // A network file system may refuse, and so may a system that has no watchers left.
      this.#watcher.on('error', () => this.close());
    } catch {
      this.#watcher = null;
    }
  }

  /** Resolves with the next change, after so many milliseconds, or once the signal is aborted. */
  async next(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#wake = null;
        this.#changed = false;
        resolve();
      };
      let timer = setTimeout(end, this.#changed ? gatherMs : timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        timer = setTimeout(end, gatherMs);
        this.#wake = null;
      };
      signal.addEventListener('abort', end, { once: true });
    });
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  #notice(): void {
    this.#changed = true;
    this.#wake?.();
  }
}
