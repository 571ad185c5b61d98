/** Reads a topic from a place of the reader's own choice: nothing is committed, and no consumer group is left behind. */
import { randomUUID } from 'node:crypto';
import { waitedFor } from '../auth/waited-for.ts';
import { within } from '../deadline.ts';
import { createDiagnostics } from '../diagnostics.ts';
import { AuthenticationError, ConnectionError, type DiasporaError } from '../errors.ts';
import { type ConnectionOptions, type ConsumerOptions, resolveConsumer } from '../options.ts';
import { openClients } from './clients.ts';
import type { ConsumedRecord } from './consumed-record.ts';
import { DiasporaConsumer } from './consumer.ts';
import { onLastingFault } from './first-failure.ts';
import { Remaining } from './remaining.ts';
import { Silence } from './silence.ts';
import { findRanges, type PartitionRange, type Place } from './topic-offsets.ts';

export type { ConsumedRecord } from './consumed-record.ts';
export type { PartitionRange, Place } from './topic-offsets.ts';

/** Kafka's consumers read as members of a group: this one has a name of its own for each reading. */
const groupPrefix = 'diaspora-logger-reader-';

/** On top of what a request may take: so long without a record, in milliseconds, and the rest is not coming. */
const silenceMarginMs = 5_000;

/** What is read, and how. */
export interface TopicReaderOptions extends ConnectionOptions {
  readonly topic: string;
}

export interface ReadTopicOptions {
  /** Default `latest`: what is sent from now on. */
  readonly from?: Place;
  /** `end`: ends where the topic ended at the start. A time: ends before the first record of that time or later. Default: never ends. */
  readonly to?: 'end' | { readonly time: number };
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal;
  /** Records of this partition, which were there at the start, are not read: they were deleted before. */
  readonly onCut?: (partition: number) => void;
}

/** A reading that has begun: its places are known, so that what is sent from now on is behind them. */
export interface TopicReader extends AsyncDisposable {
  /** Sorted by id. */
  readonly partitions: readonly PartitionRange[];
  /** One iteration. Ends by itself only where the reading has an end. */
  records(): AsyncGenerator<ConsumedRecord, void, undefined>;
  /** Gives no records of this partition until `resume`. */
  pause(partition: number): void;
  resume(partition: number): void;
  /** Takes at most 8 s. Never rejects. */
  close(): Promise<void>;
}

/**
 * The topic's records, in order within each partition.
 *
 * ```js
 * for await (const { partition, offset } of readTopic({ topic: 'app-logs' }, { from: 'earliest', to: 'end' })) …
 * ```
 *
 * Throws `ConfigurationError`; and `ConnectionError`, `AuthenticationError` or `BrokerError` where the reading cannot begin, where the
 * account may not read, and where the rest of what there was at the start does not come. Failures in between are reported
 * as diagnostics and got over.
 */
export async function* readTopic(
  options: TopicReaderOptions,
  reading: ReadTopicOptions = {},
): AsyncGenerator<ConsumedRecord, void, undefined> {
  if (reading.signal?.aborted) return;
  let reader: TopicReader;
  try {
    reader = await openTopic(options, reading);
  } catch (error) {
    if (reading.signal?.aborted) return;
    throw error;
  }
  try {
    yield* reader.records();
  } finally {
    await reader.close();
  }
}

/** As `readTopic`, for who wants to know the places, or pauses partitions. */
export async function openTopic(
  { topic, ...connection }: TopicReaderOptions,
  { from = 'latest', to, signal, onCut = () => undefined }: ReadTopicOptions = {},
): Promise<TopicReader> {
  const groupId = groupPrefix + randomUUID();
  const given = { ...connection, topic, groupId, autoCommit: false } as const;
  // Where retention has taken the place, the log's new beginning is the next best.
  const options = { ...given, autoOffsetReset: 'earliest' } as const;
  const resolved = resolveConsumer(options);
  const clients = openClients(resolved, createDiagnostics('silent'));
  const question = {
    clients,
    options: resolved,
    topic,
    from,
    to: to === undefined || to === 'end' ? 'latest' : to,
    ...(signal && { signal }),
  } as const;
  let partitions: PartitionRange[];
  try {
    partitions = await findRanges(question).catch(async (error: unknown) => {
      if (!(error instanceof AuthenticationError) || error.code !== 'SIGN_IN_REFUSED') throw error;
      // A token may have ended early: another one counts.
      clients.refused();
      const timeoutMs = 2 * resolved.requestTimeoutMs;
      const another = within(clients.hasAnother(), {
        timeoutMs,
        late: () => error,
        ...(signal && { signal }),
      });
      if (!(await waitedFor(another))) throw error;
      return findRanges(question);
    });
  } catch (error) {
    clients.close();
    throw error;
  }
  // Open until the reader is closed: so its consumer shares the token that is there.
  const close = (): void => clients.close();
  return new Reader({ options, partitions, isBounded: to !== undefined, signal, onCut, close });
}

interface ReaderSettings {
  readonly options: ConsumerOptions & { readonly topic: string };
  readonly partitions: readonly PartitionRange[];
  readonly isBounded: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onCut: (partition: number) => void;
  /** Lets go of what the reading began with. */
  readonly close: () => void;
}

class Reader implements TopicReader {
  readonly #settings: ReaderSettings;
  /** Null where the reading has no end. */
  readonly #left: Remaining | null;
  readonly #silence: Silence | null;
  /** Ends the iteration. */
  readonly #stop = new AbortController();
  #failure: DiasporaError | null = null;
  /** Joins its group when the iteration begins: of an empty range nothing is asked. */
  #consumer: DiasporaConsumer | null = null;

  constructor(settings: ReaderSettings) {
    this.#settings = settings;
    const left = settings.isBounded ? new Remaining(settings.partitions) : null;
    const timeoutMs = (settings.options.requestTimeoutMs ?? 30_000) + silenceMarginMs;
    this.#left = left;
    this.#silence =
      left && new Silence(left, timeoutMs, () => this.#fail(this.#incomplete(left, timeoutMs)));
  }

  get partitions(): readonly PartitionRange[] {
    return this.#settings.partitions;
  }

  async *records(): AsyncGenerator<ConsumedRecord, void, undefined> {
    const { options, signal } = this.#settings;
    const left = this.#left;
    if (left?.isEmpty || signal?.aborted) return;
    const onAbort = (): void => this.#stop.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const forget = onLastingFault(options.groupId, (error) => this.#fail(error));
    const records = this.#open().records({ signal: this.#stop.signal });
    try {
      for (;;) {
        this.#silence?.begin();
        const { done, value: record } = await records.next();
        this.#silence?.end();
        if (done) break;
        forget();
        if (left?.includes(record) ?? true) yield record;
        this.#pass(record.partition, record.offset + 1n);
        if (left?.isEmpty) return;
      }
      if (this.#failure !== null) throw this.#failure;
    } finally {
      forget();
      this.#silence?.end();
      signal?.removeEventListener('abort', onAbort);
      await records.return(undefined);
    }
  }

  pause(partition: number): void {
    this.#silence?.pause(partition);
    this.#consumer?.pause([{ topic: this.#settings.options.topic, partition }]);
  }

  resume(partition: number): void {
    // What comes behind its end is not read.
    if (this.#left?.has(partition) === false) return;
    this.#silence?.resume(partition);
    this.#consumer?.resume([{ topic: this.#settings.options.topic, partition }]);
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
    this.#settings.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(): DiasporaConsumer {
    const { options, partitions, onCut } = this.#settings;
    const consumer = new DiasporaConsumer(options);
    this.#consumer = consumer;
    for (const { partition, start } of partitions) {
      consumer.seek({ topic: options.topic, partition }, start);
      if (this.#left?.has(partition) === false) this.pause(partition);
    }
    consumer.on('moved', ({ partition }) => onCut(partition));
    // Also where the last offsets hold no record, such as the mark at the end of a transaction.
    consumer.on('passed', ({ partition, offset }) => {
      this.#pass(partition, offset);
      if (this.#left?.isEmpty) this.#stop.abort();
    });
    return consumer;
  }

  /** All of the partition before this offset has been read. */
  #pass(partition: number, offset: bigint): void {
    if (!this.#left?.pass(partition, offset)) return;
    this.#silence?.moved();
    if (!this.#left.has(partition)) this.pause(partition);
  }

  #fail(error: DiasporaError): void {
    this.#failure ??= error;
    this.#stop.abort();
  }

  #incomplete(left: Remaining, silenceMs: number): ConnectionError {
    return new ConnectionError(
      'END_NOT_REACHED',
      `Topic ${this.#settings.options.topic} was not read to its end: nothing came for ${silenceMs / 1_000} s, and ${left.text} missing. Brokers that do not answer are one cause, a transaction that is still open is another.`,
      false,
    );
  }
}
