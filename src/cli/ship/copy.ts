/** What is read of one input, passed on. */
import type { Tee } from './tee.ts';

const newline = 0x0a;

export interface CopyOptions {
  readonly tee: Pick<Tee, 'write'>;
  /** Who takes it is waited for until this is aborted. */
  readonly hurry: AbortSignal;
  /** Of a line that has begun, so many bytes wait for the rest of it: lines of inputs that come side by side stay whole. 0: none wait. */
  readonly maxHeldBytes: number;
}

export class Copy {
  readonly #options: CopyOptions;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  /** Resolves when more is taken. */
  async push(chunk: Buffer): Promise<void> {
    const { tee, hurry, maxHeldBytes } = this.#options;
    const lineEnd = chunk.lastIndexOf(newline) + 1;
    const begun = chunk.length - lineEnd + (lineEnd === 0 ? this.#heldBytes : 0);
    const isTooLong = begun > maxHeldBytes;
    const end = isTooLong ? chunk.length : lineEnd;
    const ready = end === 0 ? [] : [...this.#held.splice(0), chunk.subarray(0, end)];
    this.#heldBytes = isTooLong ? 0 : begun;
    if (end < chunk.length) this.#held.push(chunk.subarray(end));
    if (ready.length > 0) await tee.write(Buffer.concat(ready), hurry);
  }

  /** The input has ended: a last line without a newline gets one where it waited for it. */
  async end(): Promise<void> {
    if (this.#heldBytes > 0) await this.push(Buffer.of(newline));
  }
}
