/** An app that reads a topic by `DiasporaConsumer`, and commits after each 500 records. */
import type { ConsumerOptions } from '../../../src/options.ts';
import { type AppEnd, ChildApp } from './child-app.ts';

export interface Reading {
  /** All that were given, repeated ones included. */
  readonly records: number;
  /** Offsets that were never given. */
  readonly skipped: number;
  /** Records that were given before. */
  readonly readAgain: number;
  /** Of those, how many the broker had acknowledged as committed: there may be none. */
  readonly committedReadAgain: number;
  /** The longest time between two records, in milliseconds. */
  readonly longestSilenceMs: number;
  /** What the broker has acknowledged as committed: the offset behind it as decimal digits, of each partition that has one. */
  readonly acknowledged: readonly (readonly [partition: number, offset: string])[];
}

export interface EndedReading extends Reading, AppEnd {}

export class ReadingApp {
  readonly #app: ChildApp<Reading>;

  private constructor(options: ConsumerOptions, env: Record<string, string>) {
    this.#app = new ChildApp({ file: 'reading-app.mjs', args: [JSON.stringify(options)], env });
  }

  /** Answers when it has its partitions. */
  static async start(
    options: ConsumerOptions,
    env: Record<string, string> = {},
  ): Promise<ReadingApp> {
    const app = new ReadingApp({ autoOffsetReset: 'earliest', autoCommit: false, ...options }, env);
    await app.#app.ready();
    return app;
  }

  get output(): string {
    return this.#app.output;
  }

  /** Resolves when a diagnostic of this code has been printed: the line. */
  said(code: string): Promise<string> {
    return this.#app.said(code);
  }

  /** Answers when everything below these offsets was read, by partition. */
  until(endOffsets: ReadonlyMap<number, bigint>): Promise<Reading> {
    const ends = [...endOffsets].map(([partition, end]) => [partition, String(end)]);
    return this.#app.tell('until', ends);
  }

  async close(): Promise<EndedReading> {
    const reading = await this.#app.tell('close');
    return { ...reading, ...(await this.#app.ended()) };
  }

  kill(): void {
    this.#app.kill();
  }
}
