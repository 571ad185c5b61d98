/** `DiasporaConsumer`: a topic's records as an async iterable. */
import { EventEmitter } from 'node:events';
import type { EachBatchPayload, IHeaders, KafkaMessage } from 'kafkajs';
import { createDiagnostics, type Diagnostics } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import { type ConsumerOptions, resolveConsumer } from '../options.ts';
import { GroupMember, type SeekTarget } from './group-member.ts';
import { Handoff } from './handoff.ts';
import { createClient } from './kafkajs-client.ts';
import { keyOf, type Position, Positions, type TopicPartition } from './positions.ts';
import { openTokens, type ReaderTokens } from './tokens.ts';

export type { SeekTarget } from './group-member.ts';
export type { TopicPartition } from './positions.ts';

/** One record as it was read. */
export interface ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  /** Null is Kafka's tombstone. */
  readonly value: Buffer | null;
  /** In their order; a name may occur more than once. */
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** How long a record waits for the iteration before the group is told that this member lives, in milliseconds. */
const heartbeatMs = 1_000;

/**
 * Reads topics as a member of a consumer group.
 *
 * ```js
 * await using consumer = new DiasporaConsumer({ topic: 'app-logs', groupId: 'readers' });
 * for await (const { offset, value } of consumer) console.log(offset, value?.toString());
 * ```
 *
 * Nothing is read ahead of the iteration but what one fetch brings. Records come at least once: after a crash, or when
 * the group shares its partitions anew, those that were not committed come again. Failures do not end the iteration: the
 * consumer joins again, with growing waits, and reports each as a diagnostic. Emits 'assigned' with the partitions that
 * are this member's, each time that the group has shared them out.
 */
export class DiasporaConsumer
  extends EventEmitter<{ assigned: [partitions: readonly TopicPartition[]] }>
  implements AsyncIterable<ConsumedRecord>, AsyncDisposable
{
  readonly #diagnostics: Diagnostics;
  readonly #tokens: ReaderTokens | null;
  readonly #member: GroupMember;
  readonly #handoff = new Handoff<ConsumedRecord>();
  /** What the iteration has gone past. */
  readonly #past = new Positions();
  /** What it was given, the record in hand included: where a new membership goes on. */
  readonly #given = new Positions();
  readonly #paused = new Map<string, TopicPartition>();
  readonly #autoCommit: NodeJS.Timeout | null;
  #assigned: readonly TopicPartition[] = [];
  #inHand: ConsumedRecord | null = null;
  #reading = false;
  #closing: Promise<void> | null = null;

  /**
   * Throws `ConfigurationError`. Joins the group in the background. When `signal` is aborted, the consumer is
   * closed.
   */
  constructor(options: ConsumerOptions, { signal }: { readonly signal?: AbortSignal } = {}) {
    super();
    const resolved = resolveConsumer(options);
    this.#diagnostics = createDiagnostics(resolved.diagnostics);
    this.#tokens = openTokens(resolved.auth, this.#diagnostics);
    this.#member = new GroupMember({
      client: createClient(resolved, this.#tokens),
      options: resolved,
      diagnostics: this.#diagnostics,
      onBatch: (payload) => this.#onBatch(payload),
      onAssigned: (partitions) => this.#onAssigned(partitions),
      onRebalancing: () => {
        if (resolved.autoCommit) void this.#commitPast();
      },
      onSignInRefused: () => this.#tokens?.refused(),
      positions: () => this.#given.all(),
      paused: () => [...this.#paused.values()],
    });
    this.#autoCommit = resolved.autoCommit
      ? setInterval(() => void this.#commitPast(), resolved.autoCommitIntervalMs)
      : null;
    this.#autoCommit?.unref();
    if (signal?.aborted) void this.close();
    else signal?.addEventListener('abort', () => void this.close(), { once: true });
  }

  [Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void, undefined> {
    return this.records();
  }

  /**
   * The records, until `close()` or until `signal` is aborted: both end the iteration without an error, and a later
   * one goes on behind the last record that was given. One iteration at a time: a second one throws `DiasporaError` with
   * the code `ALREADY_READING`.
   */
  async *records({
    signal,
  }: {
    readonly signal?: AbortSignal;
  } = {}): AsyncGenerator<ConsumedRecord, void, undefined> {
    if (this.#reading) {
      throw new DiasporaError(
        'ALREADY_READING',
        'The consumer is being read already: share one iteration, or open a second consumer of the group.',
      );
    }
    this.#reading = true;
    try {
      for (;;) {
        const record = await this.#handoff.take(signal);
        if (!record) return;
        this.#inHand = record;
        this.#given.set(after(record));
        yield record;
        // A seek in the meantime has taken the record out of hand.
        if (this.#inHand === record) this.#past.set(after(record));
      }
    } finally {
      this.#inHand = null;
      this.#reading = false;
    }
  }

  /**
   * Commits the offset behind this record; without one, behind everything that the iteration has been given, the record
   * in hand included. Rejects with `DiasporaError`, code `COMMIT_FAILED`.
   */
  async commit(record?: Pick<ConsumedRecord, 'topic' | 'partition' | 'offset'>): Promise<void> {
    const positions = record ? [after(record)] : this.#given.all();
    await this.#member.commit(positions);
    this.#past.committed(positions);
  }

  /** Goes on at this offset, or at one end of the partition. What is committed stays as it is until the next commit. */
  seek(partition: TopicPartition, target: SeekTarget): void {
    const { topic, partition: number } = partition;
    if (this.#inHand && isIn(partition)(this.#inHand)) this.#inHand = null;
    for (const positions of [this.#past, this.#given]) {
      if (typeof target === 'bigint') positions.set({ topic, partition: number, offset: target });
      else positions.delete(partition);
    }
    this.#member.seek(partition, target);
    this.#handoff.withdraw(isIn(partition));
  }

  /** Gives no more records of these partitions until `resume`. Default: all that are assigned. */
  pause(partitions: readonly TopicPartition[] = this.#assigned): void {
    for (const partition of partitions) this.#paused.set(keyOf(partition), partition);
    this.#member.pause(partitions);
    for (const partition of partitions) this.#handoff.withdraw(isIn(partition));
  }

  /** Default: all that are paused. */
  resume(partitions: readonly TopicPartition[] = [...this.#paused.values()]): void {
    for (const partition of partitions) this.#paused.delete(keyOf(partition));
    this.#member.resume(partitions);
  }

  /** Ends the iteration, commits what it has gone past (unless `autoCommit` is false), and leaves the group. Never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#handoff.close();
    if (this.#autoCommit) {
      clearInterval(this.#autoCommit);
      await this.#commitPast();
    }
    await this.#member.close();
    await this.#tokens?.close();
  }

  async #commitPast(): Promise<void> {
    const positions = this.#past.uncommitted();
    try {
      await this.#member.commit(positions);
      this.#past.committed(positions);
    } catch (error) {
      this.#diagnostics.emit(
        'COMMIT_FAILED',
        `${error instanceof Error ? error.message : String(error)} They are tried again; until then a restart reads those records again.`,
      );
    }
  }

  #onAssigned(partitions: readonly TopicPartition[]): void {
    this.#assigned = partitions;
    this.#past.keepOnly(partitions);
    this.#given.keepOnly(partitions);
    this.emit('assigned', partitions);
  }

  /** kafkajs fetches no more of a broker until this is done: that is the back-pressure. */
  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    const key = keyOf(batch);
    let beatAt = Date.now();
    for (const message of batch.messages) {
      if (!isRunning() || isStale() || this.#paused.has(key)) return;
      if (Date.now() - beatAt > heartbeatMs) {
        await heartbeat();
        beatAt = Date.now();
      }
      if (!(await this.#give(recordOf(batch.topic, batch.partition, message), payload))) return;
      resolveOffset(message.offset);
    }
  }

  /** Waits for the iteration to take the record. False when it must not be taken any more. */
  async #give(
    record: ConsumedRecord,
    { heartbeat, isRunning }: EachBatchPayload,
  ): Promise<boolean> {
    const taken = this.#handoff.offer(record);
    if (taken === true) return true;
    let failure: unknown;
    const timer = setInterval(() => {
      if (!isRunning()) this.#handoff.withdraw((item) => item === record);
      heartbeat().catch((error: unknown) => {
        // The group shares its partitions anew, and kafkajs must hear of it from here.
        failure ??= error;
        this.#handoff.withdraw((item) => item === record);
      });
    }, heartbeatMs);
    try {
      const was = await taken;
      if (!was && failure !== undefined) throw failure;
      return was;
    } finally {
      clearInterval(timer);
    }
  }
}

function recordOf(topic: string, partition: number, message: KafkaMessage): ConsumedRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key,
    value: message.value,
    headers: headersOf(message.headers ?? {}),
    timestamp: Number(message.timestamp),
  };
}

/** kafkajs gathers the values of one name in an array. */
function headersOf(headers: IHeaders): ConsumedRecord['headers'] {
  return Object.entries(headers).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values])
      .filter((value) => value !== undefined)
      .map((value): [string, Buffer] => [name, Buffer.from(value)]),
  );
}

function after({ topic, partition, offset }: Position): Position {
  return { topic, partition, offset: offset + 1n };
}

function isIn(wanted: TopicPartition): (record: TopicPartition) => boolean {
  return ({ topic, partition }) => topic === wanted.topic && partition === wanted.partition;
}
