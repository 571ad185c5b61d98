/** Follows one name: the files that have it, one after the other. */
import { stat } from 'node:fs/promises';
import { systemErrorCode } from '../../errors.ts';
import { Changes } from './changes.ts';
import { FollowedFile } from './followed-file.ts';
import { leftOff, readFailure } from './inputs.ts';
import type { LineShipper } from './line-shipper.ts';
import type { Reader, ReaderOptions } from './reader.ts';

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

export class Follower implements Reader {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #changes: Changes;
  /** The oldest first; the last one has the name. */
  #generations: Generation[] = [];
  /** What was not read of files that are read no more. */
  readonly #left: string[] = [];
  /** Why the file that has the name cannot be opened; null where it can, or is not there. */
  #failure: string | null = null;
  #nextLook: Promise<void> = Promise.resolve();
  /** What was said last of why there is nothing to read. */
  #said: string | null = null;

  constructor(path: string, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#changes = new Changes(path);
  }

  /** Until it is asked to stop. */
  async run(): Promise<void> {
    const { from, stopping } = this.#options;
    await this.#look(from);
    if (this.#generations.length === 0) {
      this.#sayOnce(`there is no ${this.#path} yet: it is read once there is`);
    } else {
      this.#sayOnce(`following ${this.#path} from ${from === 'start' ? 'its start' : 'now on'}`);
    }
    await Promise.all([this.#keepLooking(), this.#keepReading()]);
    // What was written just before: a signal comes sooner than the next look.
    if (!stopping.readNoMore.aborted) await this.#readAll();
    for (const generation of this.#generations) await this.#leave(generation);
  }

  get unread(): string[] {
    const now = [...this.#generations.map((one) => this.#restOf(one)), this.#failure];
    return [...this.#left, ...now.filter((rest) => rest !== null)];
  }

  /** Beside reading, which waits while brokers take nothing: the name may go from file to file meanwhile. */
  async #keepLooking(): Promise<void> {
    const { asked } = this.#options.stopping;
    while (!asked.aborted) {
      this.#nextLook = this.#changes.next(pollMs, asked).then(() => this.#look('start'));
      await this.#nextLook;
    }
    // A file may have got the name while the last look was under way.
    await this.#look('start');
    this.#changes.close();
  }

  async #keepReading(): Promise<void> {
    while (!this.#options.stopping.asked.aborted) {
      // The one that comes after what is written while it reads.
      const nextLook = this.#nextLook;
      await this.#readAll();
      await this.#retire();
      await nextLook;
    }
  }

  /** The rest of an older file comes before what is in a newer one. Once it is asked to stop, it reads each only once more. */
  async #readAll(): Promise<void> {
    const { asked } = this.#options.stopping;
    for (const generation of this.#generations) {
      let came = await this.#read(generation);
      while (came && !asked.aborted) came = await this.#read(generation);
      if (came && generation.file.position < generation.file.size) return;
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
      await take(chunk, generation.lines);
      return true;
    }
    say(`diaspora-logger: ${this.#path} was emptied: it is read from its beginning.`);
    const { lines } = generation;
    generation.lines = linesOf(stopping.asked, true);
    generation.linesFrom = 0;
    await lines.end();
    return true;
  }

  /** Whether another file has the name now. */
  async #look(from: 'start' | 'end'): Promise<void> {
    try {
      await this.#openNewest(from);
      this.#failure = null;
    } catch (error) {
      // Between a rename and the file that comes after it, there is none.
      const isMissing = systemErrorCode(error) === 'ENOENT';
      this.#failure = isMissing ? null : readFailure(this.#path, error);
      if (this.#failure !== null) this.#sayOnce(this.#failure);
    }
  }

  async #openNewest(from: 'start' | 'end'): Promise<void> {
    const { linesOf, stopping } = this.#options;
    const newest = this.#generations.at(-1);
    if (newest?.file.isSameAs(await stat(this.#path))) return;
    const file = await FollowedFile.open(this.#path, from);
    if (newest) newest.heardAt = performance.now();
    const lines = linesOf(stopping.asked, true);
    const [linesFrom, heardAt] = [file.position, performance.now()];
    this.#generations.push({ file, lines, linesFrom, failure: null, heardAt });
    this.#said = null;
    this.#changes.watch();
  }

  async #retire(): Promise<void> {
    const [oldest, next] = this.#generations;
    if (!oldest || !next || performance.now() - oldest.heardAt < formerMs) return;
    // It came while a newer one was read.
    if (oldest.failure === null && oldest.file.position < oldest.file.size) return;
    await this.#leave(oldest);
  }

  /** Nobody reads this file any more: at its end, a last line without a newline is shipped as it is. */
  async #leave(generation: Generation): Promise<void> {
    const { file, lines, failure } = generation;
    const isRead = failure === null && file.position >= file.size;
    const rest = isRead ? null : this.#restOf(generation);
    this.#generations = this.#generations.filter((one) => one !== generation);
    if (rest !== null) this.#left.push(rest);
    if (isRead) await lines.end();
    else await lines.leave();
    await file.close();
  }

  /** Null where all of it is read, its last line included. */
  #restOf(generation: Generation): string | null {
    const { file, lines, linesFrom, failure } = generation;
    if (failure !== null) return failure;
    const [at, { size }] = [linesFrom + lines.wholeLineBytes, file];
    if (at >= size) return null;
    return generation === this.#generations.at(-1)
      ? leftOff(this.#path, at, size)
      : `of the file that had the name ${this.#path} before, ${at} of ${size} bytes were read`;
  }

  #sayOnce(problem: string): void {
    if (this.#said === problem) return;
    this.#said = problem;
    this.#options.say(`diaspora-logger: ${problem}.`);
  }
}
