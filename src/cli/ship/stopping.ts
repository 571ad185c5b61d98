/** Ctrl-C and its like: the first ends in order, the second at once. */
import { setMaxListeners } from 'node:events';
import { constants } from 'node:os';

/** What ends `ship`: Ctrl-C, a service manager, a terminal that closes. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whoever writes to a pipe often got the same Ctrl-C: how long what it still has to say is waited for, in milliseconds. */
export const lastWordsMs = 5_000;

export interface StoppingOptions {
  /** The first signal has come. */
  readonly onFirst: () => void;
  /** The second one: the process must end before this returns. */
  readonly onSecond: (exitCode: number) => void;
}

export class Stopping {
  readonly #first = new AbortController();
  readonly #readNoMore = new AbortController();
  readonly #listener: (signal: NodeJS.Signals) => void;
  #signal: NodeJS.Signals | null = null;
  #lastWords: NodeJS.Timeout | undefined;

  constructor({ onFirst, onSecond }: StoppingOptions) {
    this.#listener = (signal) => {
      if (this.#signal) {
        onSecond(exitCodeOf(signal));
        return;
      }
      this.#signal = signal;
      this.#lastWords = setTimeout(() => this.#readNoMore.abort(), lastWordsMs);
      this.#first.abort();
      onFirst();
    };
    // Each file that is followed waits for them: Node would warn of a leak.
    setMaxListeners(0, this.asked, this.readNoMore);
    for (const signal of signals) process.on(signal, this.#listener);
  }

  /** The signal that came first; null where none did. */
  get signal(): NodeJS.Signals | null {
    return this.#signal;
  }

  /** As shells have it: 128 and the signal's number. */
  get exitCode(): number | null {
    return this.#signal && exitCodeOf(this.#signal);
  }

  /** Aborted with the first signal: files and terminals are read no further. */
  get asked(): AbortSignal {
    return this.#first.signal;
  }

  /** Aborted some seconds later: pipes are read no further either. */
  get readNoMore(): AbortSignal {
    return this.#readNoMore.signal;
  }

  /** There is no use in reading on: as after a signal, without its grace. */
  giveUp(): void {
    this.#first.abort();
    this.#readNoMore.abort();
  }

  /** Everything is done: signals end the process as they do by default. */
  end(): void {
    clearTimeout(this.#lastWords);
    for (const signal of signals) process.off(signal, this.#listener);
  }
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
