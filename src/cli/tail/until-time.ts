/** A reading up to a time that is still to come. */
import type {
  ConsumedRecord,
  PartitionRange,
  Place,
  ReadTopicOptions,
  TopicReader,
} from '../../consume/read-topic.ts';
import { stopAt } from './stop-at.ts';

/** As `openTopic`, of one topic. */
export type Open = (reading: ReadTopicOptions) => Promise<TopicReader>;

export interface UntilTimeOptions {
  readonly from: Place;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Ends the reading without an error. */
  readonly signal: AbortSignal;
}

/**
 * Reads what comes. Once the time has come the brokers tell where it lies in each partition, and what is not read by then is read up to
 * there: as if the time had been over from the start.
 */
export async function openUntilTime(open: Open, options: UntilTimeOptions): Promise<TopicReader> {
  const { from, signal } = options;
  return new UntilTime(open, options, await open({ from, signal }));
}

class UntilTime implements TopicReader {
  readonly partitions: readonly PartitionRange[];
  readonly #open: Open;
  readonly #options: UntilTimeOptions;
  /** Offset of what is to be read next, by partition. */
  readonly #next: Map<number, bigint>;
  readonly #paused = new Set<number>();
  readonly #closing = new AbortController();
  /** First the one that reads on, then the one with an end. */
  #reader: TopicReader;

  constructor(open: Open, options: UntilTimeOptions, reader: TopicReader) {
    this.#open = open;
    this.#options = options;
    this.#reader = reader;
    this.partitions = reader.partitions;
    this.#next = new Map(reader.partitions.map(({ partition, start }) => [partition, start]));
  }

  async *records(): AsyncGenerator<ConsumedRecord, void, undefined> {
    const { time } = this.#options;
    // Whoever has enough closes it while the next record is waited for.
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal]);
    yield* this.#untilNow();
    await this.#reader.close();
    if (signal.aborted) return;
    const reading = { from: { offsets: this.#next }, to: { time }, signal };
    const reader = await this.#open(reading).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    if (reader === null) return;
    this.#reader = reader;
    if (signal.aborted) return await reader.close();
    const records = reader.records();
    // A reader can be paused from when it is read.
    const first = records.next();
    for (const partition of this.#paused) reader.pause(partition);
    try {
      for (let next = await first; !next.done; next = await records.next()) yield next.value;
    } finally {
      await records.return(undefined);
    }
  }

  pause(partition: number): void {
    this.#paused.add(partition);
    this.#reader.pause(partition);
  }

  resume(partition: number): void {
    this.#paused.delete(partition);
    this.#reader.resume(partition);
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#reader.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends when the time has come. */
  async *#untilNow(): AsyncGenerator<ConsumedRecord, void, undefined> {
    const { time } = this.#options;
    const reader = this.#reader;
    const hasCome = stopAt(time);
    if (hasCome.aborted) return;
    const end = (): void => void reader.close();
    hasCome.addEventListener('abort', end, { once: true });
    /** Partitions that have a record of that time already. */
    const over = new Set<number>();
    try {
      for await (const record of reader.records()) {
        const { partition, offset, timestamp } = record;
        if (timestamp >= time) over.add(partition);
        if (over.has(partition)) continue;
        this.#next.set(partition, offset + 1n);
        yield record;
      }
    } finally {
      hasCome.removeEventListener('abort', end);
    }
  }
}
