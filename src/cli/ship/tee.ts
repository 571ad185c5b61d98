/** Passes the input on, as it stands. */
import { setMaxListeners } from 'node:events';
import type { Writable } from 'node:stream';
import { systemErrorCode } from '../../errors.ts';
import { takenInTime } from '../output.ts';

export class Tee {
  readonly #stream: Writable;
  readonly #say: (line: string) => void;
  #open = true;
  #failed = false;

  /** `say` is told, once, that nothing more is passed on. */
  constructor(stream: Writable, say: (line: string) => void) {
    this.#stream = stream;
    this.#say = say;
    // Elsewhere the end of who reads stdout ends the command: here lines are still to be shipped.
    stream.removeAllListeners('error');
    stream.on('error', (error) => this.#end(error));
    // Each file that is followed waits for it: Node would warn of a leak.
    setMaxListeners(0, stream);
  }

  /** Whether something was not passed on though somebody was there to take it. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Resolves when the stream takes more; at once where it is closed, or `hurry` is aborted. */
  async write(chunk: Buffer, hurry: AbortSignal): Promise<void> {
    if (!this.#open || this.#stream.write(chunk) || hurry.aborted) return;
    const stream = this.#stream;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        for (const event of ['drain', 'error', 'close']) stream.off(event, end);
        hurry.removeEventListener('abort', end);
        resolve();
      };
      for (const event of ['drain', 'error', 'close']) stream.on(event, end);
      hurry.addEventListener('abort', end, { once: true });
    });
  }

  /** Resolves once everything is taken; with false where it still is not some time after `hurry` was aborted. */
  async finish(hurry: AbortSignal): Promise<boolean> {
    if (!this.#open) return true;
    const taken = new Promise<void>((resolve) => {
      this.#stream.write('', () => resolve());
    });
    if (await takenInTime(taken, hurry)) return true;
    this.#open = false;
    this.#failed = true;
    this.#say('--tee: standard output is not read. Not everything was passed on.');
    return false;
  }

  #end(error: Error): void {
    if (!this.#open) return;
    this.#open = false;
    const code = systemErrorCode(error);
    // `head` and its like have enough: that is no failure.
    this.#failed = code !== 'EPIPE';
    this.#say(
      this.#failed
        ? `--tee: standard output cannot be written (${code ?? error.message}). Lines are shipped on, but no longer passed on.`
        : '--tee: whoever read standard output has ended. Lines are shipped on, but no longer passed on.',
    );
  }
}
