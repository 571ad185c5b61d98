/** Reads inputs one after the other, and hands what comes to who ships it. */
import { shellQuoted } from '../output.ts';
import type { Input } from './inputs.ts';
import { readFailure } from './inputs.ts';
import type { LineShipper } from './line-shipper.ts';
import type { Stopping } from './stopping.ts';

export interface ReaderOptions {
  readonly stopping: Pick<Stopping, 'asked' | 'readNoMore'>;
  /** For one input, which is read until the signal is aborted. */
  readonly linesOf: (stop: AbortSignal) => LineShipper;
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
  const lines = linesOf(stop);
  const stream = input.open();
  const end = (): void => void stream.destroy();
  stop.addEventListener('abort', end, { once: true });
  try {
    for await (const chunk of stream) await take(chunk, lines, stop);
    await lines.end();
    return null;
  } catch (error) {
    if (stop.aborted) return await leave(input, lines);
    // What came before the failure is shipped, its last line included: it may be all that is left of it.
    await lines.end();
    const problem = readFailure(input.name, error);
    return problem;
  } finally {
    stop.removeEventListener('abort', end);
  }
}

/** A file still has what a pipe gives only once. */
async function leave({ name, kind, size }: Input, lines: LineShipper): Promise<string> {
  if (kind !== 'file' || size === null) {
    await lines.end();
    return `${name} was not read to its end`;
  }
  const at = lines.wholeLineBytes;
  return `${name} was read up to byte ${at} of ${size}; "tail -c +${at + 1} -- ${shellWord(name)}" has the rest`;
}

/** As it stands where a shell takes nothing in it for its own. */
const shellWord = (name: string): string =>
  /^[\w./@%+=:,-]+$/.test(name) ? name : shellQuoted(name);
