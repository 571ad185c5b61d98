/** Follows files by their names, through rotation. */
import { stat } from 'node:fs/promises';
import { ConfigurationError, systemErrorCode } from '../../errors.ts';
import { Changes } from './changes.ts';
import { FollowedFile } from './followed-file.ts';
import { checkFile, readFailure } from './inputs.ts';
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
  for (const path of paths) checkFile(path, { mayBeMissing: true });
}

/** Resolves once it is asked to stop, with everything that the files held then. */
export async function followFiles(paths: readonly string[], options: FollowOptions): Promise<void> {
  await Promise.all(paths.map((path) => new Follower(path, options).run()));
}

/** A file that has, or had, the name, and the line that it is in the middle of. */
interface Generation {
  readonly file: FollowedFile;
  lines: LineShipper;
  /** When something came last, or when it lost its name (`performance.now()` milliseconds). */
  heardAt: number;
}

class Follower {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #changes: Changes;
  /** The oldest first; the last one has the name. */
  #generations: Generation[] = [];
  /** What was said last of why there is nothing to read. */
  #said: string | null = null;

  constructor(path: string, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#changes = new Changes(path);
  }

  async run(): Promise<void> {
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
    await this.#readAll();
    for (const generation of this.#generations) await leave(generation);
  }

  /** The rest of an older file comes before what is in a newer one. */
  async #readAll(): Promise<void> {
    const { readNoMore } = this.#options.stopping;
    for (const generation of this.#generations) {
      try {
        while (!readNoMore.aborted && (await this.#read(generation))) {
          generation.heardAt = performance.now();
        }
      } catch (error) {
        this.#sayOnce(readFailure(this.#path, error));
      }
    }
  }

  /** Whether there was anything. */
  async #read(generation: Generation): Promise<boolean> {
    const { stopping, take, linesOf, say } = this.#options;
    const chunk = await generation.file.readNext();
    if (chunk === null) {
      say(`diaspora-logger: ${this.#path} was emptied: it is read from its beginning.`);
      await generation.lines.end();
      generation.lines = linesOf(stopping.readNoMore);
      return true;
    }
    if (chunk.length > 0) await take(chunk, generation.lines, stopping.readNoMore);
    return chunk.length > 0;
  }

  /** Whether another file has the name now. */
  async #look(from: 'start' | 'end'): Promise<void> {
    const { linesOf, stopping } = this.#options;
    const newest = this.#generations.at(-1);
    try {
      if (newest?.file.isSameAs(await stat(this.#path))) return;
      const file = await FollowedFile.open(this.#path, from);
      if (newest) newest.heardAt = performance.now();
      const lines = linesOf(stopping.readNoMore);
      this.#generations.push({ file, lines, heardAt: performance.now() });
      this.#said = null;
      this.#changes.watch();
    } catch (error) {
      // Between a rename and the file that comes after it, there is none.
      if (systemErrorCode(error) !== 'ENOENT') this.#sayOnce(readFailure(this.#path, error));
    }
  }

  async #retire(): Promise<void> {
    const [oldest, next] = this.#generations;
    if (!oldest || !next || performance.now() - oldest.heardAt < formerMs) return;
    this.#generations = this.#generations.slice(1);
    await leave(oldest);
  }

  #sayOnce(problem: string): void {
    if (this.#said === problem) return;
    this.#said = problem;
    this.#options.say(`diaspora-logger: ${problem}.`);
  }
}

/** A last line without a newline is shipped as it is: nobody reads this file any more. */
async function leave({ file, lines }: Generation): Promise<void> {
  await lines.end();
  await file.close();
}
