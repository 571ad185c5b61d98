/** Follows files by their names, through rotation. */
import { ConfigurationError } from '../../errors.ts';
import { Follower, type FollowOptions } from './follower.ts';
import { checkFile } from './inputs.ts';
import type { Reader } from './reader.ts';

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

/** Reads until it is asked to stop. */
export class FollowReader implements Reader {
  readonly #followers: readonly Follower[];

  constructor(paths: readonly string[], options: FollowOptions) {
    this.#followers = paths.map((path) => new Follower(path, options));
  }

  async run(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.run()));
  }

  get unread(): string[] {
    return this.#followers.flatMap(({ unread }) => unread);
  }
}
