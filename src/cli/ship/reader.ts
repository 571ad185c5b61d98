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
  readonly take: (chunk: Buffer, lines: LineShipper, stop: AbortSignal) => Promise<void>;
  readonly say: (line: string) => void;
}

/** What was not read, in words for a person: empty where all inputs were read to their end. */
export async function readInputs(
  inputs: readonly Input[],
  options: ReaderOptions,
): Promise<string[]> {
  const unread: string[] = [];
  for (const input of inputs) {
    const problem = options.stopping.asked.aborted
      ? `${input.name} was not begun`
      : await readInput(input, options);
    if (problem !== null) unread.push(problem);
  }
  return unread;
}

/** Null where it was read to its end. */
async function readInput(input: Input, options: ReaderOptions): Promise<string | null> {
  const { stopping, linesOf, take } = options;
  const stop = input.kind === 'pipe' ? stopping.readNoMore : stopping.asked;
  const lines = linesOf(stop, input.size !== null);
  try {
    for await (const chunk of chunksOf(input, stop)) await take(chunk, lines, stop);
  } catch (error) {
    if (!(error instanceof ReadFailure)) throw error;
    if (stop.aborted) return await leave(input, lines);
    // What came before the failure is shipped, its last line included: it may be all that is left of it.
    await lines.end();
    return readFailure(input.name, error.cause);
  }
  await lines.end();
  return null;
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

/** A file still has what a pipe gives only once. */
async function leave({ name, path, size }: Input, lines: LineShipper): Promise<string> {
  await lines.leave();
  if (size === null) return `${name} was not read to its end`;
  const at = lines.wholeLineBytes;
  if (path !== null) return leftOff(path, at, size);
  // A shell may have read of it before, and then the bytes count from there.
  return `the first ${at} bytes of ${name} were read; "tail -c +${at + 1}" of the same has the rest`;
}
