/** Follows files by their names, through rotation. */
import { stat } from 'node:fs/promises';
import { ConfigurationError, systemErrorCode } from '../../errors.ts';
import { Changes } from './changes.ts';
import { FollowedFile } from './followed-file.ts';
import { checkFile, leftOff, readFailure } from './inputs.ts';
import type { LineShipper } from './line-shipper.ts';
import type { ReaderOptions } from './reader.ts';

/** Milliseconds between two looks at a file. Where the system tells of changes, they are seen at once. */
const pollMs = 200;

/**
 * How long a file that has another name now is still read once nothing more comes, in milliseconds: an app goes on writing
 * to it until it is told to open its log anew.
 */
const formerMs = 10_000;

export interface FollowOptions extends ReaderOptions {
  /** Where to begin with what is there now. What comes to be there later is read from its beginning. */
  readonly from: 'start' | 'end';
}

/** A file that is not there yet may be followed. Throws `ConfigurationError` for what never can be. */
export function checkFollowed(paths: readonly string[]): void {
  if (paths.length === 0 || paths.includes('-')) {
    throw new ConfigurationError(
      '--follow needs the names of files: standard input is read to its end anyway.',
    );
  }
  for (const path of paths) {
    if (checkFile(path, { mayBeMissing: true })?.isFile() !== false) continue;
    throw new ConfigurationError(
      `--follow is for files that grow: ${path} is none. Without --follow it is read to its end.`,
    );
  }
}

/** Resolves once it is asked to stop, with what of the files was not read, in words for a person. */
export async function followFiles(
  paths: readonly string[],
  options: FollowOptions,
): Promise<string[]> {
  const unread = await Promise.all(paths.map((path) => new Follower(path, options).run()));
  return unread.flat();
}

/** A file that has, or had, the name, and the line that it is in the middle of. */
interface Generation {
  readonly file: FollowedFile;
  lines: LineShipper;
  /** Where in the file they begin, in bytes. */
  linesFrom: number;
  /** Why it cannot be read; null where it can. */
  failure: string | null;
  /** When something came last, or when it lost its name (`performance.now()` milliseconds). */
  heardAt: number;
}

class Follower {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #changes: Changes;
  /** The oldest first; the last one has the name. */
  #generations: Generation[] = [];
  /** What was not read of files that are read no more. */
  readonly #unread: string[] = [];
  /** Why the file that has the name cannot be opened; null where it can, or is not there. */
  #failure: string | null = null;
  /** What was said last of why there is nothing to read. */
  #said: string | null = null;

  constructor(path: string, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#changes = new Changes(path);
  }

  async run(): Promise<string[]> {
    const { from, stopping } = this.#options;
    await this.#look(from);
    if (this.#generations.length === 0) {
      this.#sayOnce(`there is no ${this.#path} yet: it is read once there is`);
    } else {
      this.#sayOnce(`following ${this.#path} from ${from === 'start' ? 'its start' : 'now on'}`);
    }
    while (!stopping.asked.aborted) {
      await this.#readAll();
      await this.#look('start');
      await this.#retire();
      await this.#changes.next(pollMs, stopping.asked);
    }
    this.#changes.close();
    // What was written just before: a signal comes sooner than the next look.
    if (!stopping.readNoMore.aborted) await this.#readAll();
    for (const generation of this.#generations) await this.#leave(generation);
    return this.#failure === null ? this.#unread : [...this.#unread, this.#failure];
  }

  /** The rest of an older file comes before what is in a newer one. Once it is asked to stop, it reads each only once more. */
  async #readAll(): Promise<void> {
    const { asked } = this.#options.stopping;
    for (const generation of this.#generations) {
      let came = await this.#read(generation);
      while (came && !asked.aborted) came = await this.#read(generation);
      if (came && generation.file.position < (await generation.file.size())) return;
    }
  }

  /** Whether there was anything. */
  async #read(generation: Generation): Promise<boolean> {
    const { stopping, take, linesOf, say } = this.#options;
    let chunk: Buffer | null;
    try {
      chunk = await generation.file.readNext();
      generation.failure = null;
    } catch (error) {
      generation.failure = readFailure(this.#path, error);
      this.#sayOnce(generation.failure);
      return false;
    }
    if (chunk?.length === 0) return false;
    generation.heardAt = performance.now();
    if (chunk !== null) {
      await take(chunk, generation.lines, stopping.asked);
      return true;
    }
    say(`diaspora-logger: ${this.#path} was emptied: it is read from its beginning.`);
    await generation.lines.end();
    generation.lines = linesOf(stopping.asked, true);
    generation.linesFrom = 0;
    return true;
  }

  /** Whether another file has the name now. */
  async #look(from: 'start' | 'end'): Promise<void> {
    const { linesOf, stopping } = this.#options;
    const newest = this.#generations.at(-1);
    this.#failure = null;
    try {
      if (newest?.file.isSameAs(await stat(this.#path))) return;
      const file = await FollowedFile.open(this.#path, from);
      if (newest) newest.heardAt = performance.now();
      const lines = linesOf(stopping.asked, true);
      const [linesFrom, heardAt] = [file.position, performance.now()];
      this.#generations.push({ file, lines, linesFrom, failure: null, heardAt });
      this.#said = null;
      this.#changes.watch();
    } catch (error) {
      // Between a rename and the file that comes after it, there is none.
      if (systemErrorCode(error) === 'ENOENT') return;
      this.#failure = readFailure(this.#path, error);
      this.#sayOnce(this.#failure);
    }
  }

  async #retire(): Promise<void> {
    const [oldest, next] = this.#generations;
    if (!oldest || !next || performance.now() - oldest.heardAt < formerMs) return;
    this.#generations = this.#generations.slice(1);
    await this.#leave(oldest);
  }

  /** Nobody reads this file any more: at its end, a last line without a newline is shipped as it is. */
  async #leave(generation: Generation): Promise<void> {
    const { file, lines, linesFrom, failure } = generation;
    const size = failure === null ? await file.size() : file.position;
    if (file.position >= size) await lines.end();
    else await lines.leave();
    if (failure !== null) this.#unread.push(failure);
    else if (file.position < size) {
      const at = linesFrom + lines.wholeLineBytes;
      const hasTheName = generation === this.#generations.at(-1);
      this.#unread.push(
        hasTheName
          ? leftOff(this.#path, at, size)
          : `of the file that had the name ${this.#path} before, ${at} of ${size} bytes were read`,
      );
    }
    await file.close();
  }

  #sayOnce(problem: string): void {
    if (this.#said === problem) return;
    this.#said = problem;
    this.#options.say(`diaspora-logger: ${problem}.`);
  }
}
