/** An app that keeps each record that it reads in a file, commits it afterwards, and may be killed in between. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumerOptions } from '../../../src/options.ts';
import { type AppEnd, ChildApp } from './child-app.ts';

export interface StoringOptions {
  readonly reading: ConsumerOptions;
  /** Path of the file: several apps, and the same one when it is started again, may have one together. */
  readonly journal: string;
  /** Commits after so many records. Default 1. */
  readonly commitEvery?: number;
  /** Ends by SIGKILL at its record of this number, counted from 1. */
  readonly diesAt?: Death;
}

export type Death = { readonly record: number } & (
  | { readonly step: 'stored' }
  /** The commit is on its way for so many milliseconds. */
  | { readonly step: 'committing'; readonly afterMs: number }
);

/** A record's place: the offset as a number, for tests are short. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}

export interface Stored extends Place {
  readonly value: string;
  /** Of the process that stored it. */
  readonly pid: number;
  /** When it was given, in nanoseconds on the clock that all processes of a machine share. */
  readonly at: bigint;
}

/** The broker has acknowledged, before `at`, that everything below `offset` is committed. */
export interface Committed extends Place {
  readonly at: bigint;
}

export interface Journal {
  /** In the order of writing. */
  readonly stored: readonly Stored[];
  readonly committed: readonly Committed[];
  /** The partitions that each process was told last to be its own. */
  readonly assigned: ReadonlyMap<number, readonly number[]>;
}

const pollMs = 50;

/** A group gives a member that was killed 30 s to come back, and may share its partitions anew some times more. */
const patienceMs = 90_000;

export class StoringApp implements Disposable {
  readonly #app: ChildApp<object>;
  readonly #journal: string;
  #hasEnded = false;

  constructor(options: StoringOptions) {
    const given = { commitEvery: 1, diesAt: null, ...options };
    this.#app = new ChildApp({ file: 'storing-app.mjs', args: [JSON.stringify(given)], env: {} });
    this.#journal = options.journal;
    void this.#app.ended().then(() => {
      this.#hasEnded = true;
    });
  }

  /** Resolves when it has its first partitions. */
  async ready(): Promise<this> {
    await this.#app.ready();
    return this;
  }

  /** Waits until the file has all that is asked for: it, as it is then. Rejects when the process ends before. */
  async until(isDone: (journal: Journal) => boolean): Promise<Journal> {
    const limit = performance.now() + patienceMs;
    for (;;) {
      const journal = await readJournal(this.#journal);
      if (isDone(journal)) return journal;
      if (this.#hasEnded || performance.now() > limit) {
        const { stored, assigned } = journal;
        throw new Error(
          `${this.#hasEnded ? 'The app has ended' : `After ${patienceMs} ms`}: ${stored.length} lines, shares ${JSON.stringify([...assigned])}.\n${this.#app.output}`,
        );
      }
      await sleep(pollMs);
    }
  }

  /** Of the process. */
  ended(): Promise<AppEnd> {
    return this.#app.ended();
  }

  /** Leaves the group, and waits for the process. */
  async close(): Promise<AppEnd> {
    await this.#app.tell('close');
    return this.#app.ended();
  }

  kill(): void {
    this.#app.kill();
  }

  [Symbol.dispose](): void {
    this.kill();
  }
}

/** What was written so far. The last line may be unfinished: it counts once it is whole. */
export async function readJournal(path: string): Promise<Journal> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const stored: Stored[] = [];
  const committed: Committed[] = [];
  const assigned = new Map<number, readonly number[]>();
  for (const line of text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1)) {
    const entry = JSON.parse(line);
    const { pid } = entry;
    const at = BigInt(entry.at);
    if (entry.stored) stored.push({ ...placeOf(entry.stored), value: entry.value, pid, at });
    if (entry.committed) committed.push({ ...placeOf(entry.committed), at });
    if (entry.assigned) assigned.set(pid, entry.assigned);
  }
  return { stored, committed, assigned };
}

const placeOf = ([partition, offset]: [number, string]): Place => ({
  partition,
  offset: Number(offset),
});
