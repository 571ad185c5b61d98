/** Reads inputs one after the other, and hands what comes to who ships it. */
import { addAbortSignal } from 'node:stream';
import { type Input, leftOff, readFailure } from './inputs.ts';
import type { LineShipper } from './line-shipper.ts';
import type { Stopping } from './stopping.ts';

export interface ReaderOptions {
  readonly stopping: Pick<Stopping, 'asked' | 'readNoMore'>;
  /** For one input, which is read until the signal is aborted. */
  readonly linesOf: (stop: AbortSignal, canBeReadAgain: boolean) => LineShipper;
  /** Resolves when more may be read. */
  readonly take: (chunk: Buffer, lines: LineShipper) => Promise<void>;
  readonly say: (line: string) => void;
}

/** Where what is shipped comes from. */
export interface Reader {
  /** Resolves once everything is read, or it was asked to stop. Rejects with a defect of who takes it. */
  run(): Promise<void>;
  /** What was not read, in words for a person, also while it reads: empty where everything was read to its end. */
  readonly unread: readonly string[];
}

export class InputReader implements Reader {
  readonly #inputs: readonly Input[];
  readonly #options: ReaderOptions;
  #begun = 0;
  #current: { readonly input: Input; readonly lines: LineShipper } | null = null;
  /** Of inputs that are read no more. */
  readonly #left: string[] = [];

  constructor(inputs: readonly Input[], options: ReaderOptions) {
    this.#inputs = inputs;
    this.#options = options;
  }

  get unread(): string[] {
    const current = this.#current && restOf(this.#current.input, this.#current.lines);
    const waiting = this.#inputs.slice(this.#begun).map(({ name }) => `${name} was not begun`);
    return [...this.#left, ...(current === null ? [] : [current]), ...waiting];
  }

  async run(): Promise<void> {
    for (const input of this.#inputs) {
      if (this.#options.stopping.asked.aborted) return;
      this.#begun += 1;
      await this.#read(input);
    }
  }

  async #read(input: Input): Promise<void> {
    const { stopping, linesOf, take } = this.#options;
    const stop = input.kind === 'pipe' ? stopping.readNoMore : stopping.asked;
    const lines = linesOf(stop, input.size !== null);
    this.#current = { input, lines };
    let isCut = false;
    let rest: string | null = null;
    try {
      for await (const chunk of chunksOf(input, stop)) await take(chunk, lines);
    } catch (error) {
      if (!(error instanceof ReadFailure)) throw error;
      // It may be asked to stop behind the last byte.
      isCut = stop.aborted && lines.bytes !== input.sizeNow();
      if (isCut) rest = restOf(input, lines);
      else if (!stop.aborted) rest = readFailure(input.name, error.cause);
    }
    this.#current = null;
    if (rest !== null) this.#left.push(rest);
    if (isCut) await lines.leave();
    // What came before a failure is shipped, its last line included: it may be all that is left of it.
    else await lines.end();
  }
}

/** Distinguishes what the input fails with from what its reader does. */
class ReadFailure extends Error {
  override readonly name = 'ReadFailure';
}

/** Throws `ReadFailure`, also where `stop` is aborted before its end. */
async function* chunksOf(input: Input, stop: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* addAbortSignal(stop, input.open());
  } catch (cause) {
    throw new ReadFailure(`reading ${input.name} failed`, { cause });
  }
}

/** A file still has what a pipe gives only once. Null where all of it was read, its last line included. */
function restOf(input: Input, lines: LineShipper): string | null {
  const { name, path } = input;
  const [at, size] = [lines.wholeLineBytes, input.sizeNow()];
  // It is gone, was emptied, or is no file that has an end.
  if (size === null || at > size) return `${name} was not read to its end`;
  if (at === size) return null;
  if (path !== null) return leftOff(path, at, size);
  // A shell may have read of it before, and then the bytes count from there.
  return `the first ${at} bytes of ${name} were read; "tail -c +${at + 1}" of the same has the rest`;
}
