/** `DiasporaConsumer`: a topic's records as an async iterable. */
import { EventEmitter } from 'node:events';
import type { EachBatchPayload } from 'kafkajs';
import { createDiagnostics, type Diagnostics } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import { type ConsumerOptions, resolveConsumer } from '../options.ts';
import { type Clients, openClients } from './clients.ts';
import { type ConsumedRecord, recordOf } from './consumed-record.ts';
import { GroupMember } from './group-member.ts';
import { Handoff } from './handoff.ts';
import {
  keyOf,
  type Past,
  type Position,
  Positions,
  type Progress,
  type SeekTarget,
  type TopicPartition,
} from './positions.ts';

export type { ConsumedRecord } from './consumed-record.ts';
export type { SeekTarget, TopicPartition } from './positions.ts';

/** How long a record waits for the iteration before the group is told that this member lives, in milliseconds. */
const heartbeatMs = 1_000;

/** How long `close()` may take, in milliseconds. */
const closeTimeoutMs = 8_000;

/** The highest offset that Kafka's protocol holds. */
const maxOffset = 2n ** 63n - 1n;

/** A record, and the way that it was read on. */
interface Read {
  readonly record: ConsumedRecord;
  readonly progress: Progress;
}

/** A record, and how its reader tells that it is done with it. */
export interface Delivery {
  readonly record: ConsumedRecord;
  /**
   * Counts for this record and for all before it in its partition: done out of order, it commits earlier ones that are
   * not done yet. What is done after `close()` is not committed.
   */
  readonly done: () => void;
}

/** A record that the iteration was given, and what moves once it has gone past it. */
interface Taken {
  readonly record: ConsumedRecord;
  readonly past: Past;
}

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
 * are this member's, each time that the group has shared them out and it is known where each goes on: what is sent from
 * then on is read. With `autoCommit` that place is committed at once, so that nothing is skipped where `autoOffsetReset` is
 * `'latest'` and the next member begins before anything was read. Emits 'passed' with a position when all records before it
 * have been given, also where the last offsets hold none, such as the mark at the end of a transaction. Emits 'moved' with
 * the position at which a partition goes on as `autoOffsetReset` says, since its log did not hold the place, such as after
 * retention.
 */
export class DiasporaConsumer
  extends EventEmitter<{
    assigned: [partitions: readonly TopicPartition[]];
    passed: [position: Position];
    moved: [position: Position];
  }>
  implements AsyncIterable<ConsumedRecord>, AsyncDisposable
{
  readonly #diagnostics: Diagnostics;
  readonly #clients: Clients;
  readonly #member: GroupMember;
  readonly #groupId: string;
  readonly #handoff = new Handoff<Read>();
  readonly #positions = new Positions();
  readonly #paused = new Map<string, TopicPartition>();
  readonly #autoCommit: NodeJS.Timeout | null;
  readonly #forgetSignal: () => void;
  #reading = false;
  /** Whether it is its reader who tells what it is done with. */
  #toldDone = false;
  #committing = false;
  #closing: Promise<void> | null = null;
  #closed = false;

  /**
   * Throws `ConfigurationError`. Joins the group in the background. When `signal` is aborted, the consumer is
   * closed.
   */
  constructor(options: ConsumerOptions, { signal }: { readonly signal?: AbortSignal } = {}) {
    super();
    const resolved = resolveConsumer(options);
    this.#groupId = resolved.groupId;
    this.#diagnostics = createDiagnostics(resolved.diagnostics);
    this.#clients = openClients(resolved, this.#diagnostics);
    this.#member = new GroupMember({
      clients: this.#clients,
      options: resolved,
      diagnostics: this.#diagnostics,
      positions: this.#positions,
      onBatch: (payload) => this.#onBatch(payload),
      onAssigned: (partitions) => {
        if (resolved.autoCommit) void this.#commitPast();
        // Not from here: what a listener throws is the app's, and not a failure of the membership.
        queueMicrotask(() => this.emit('assigned', partitions));
      },
      onRebalancing: () => {
        if (resolved.autoCommit) void this.#commitPast();
      },
      onSuspended: () => this.#handoff.withdraw(),
      onSkipped: (position) => this.#passed(position),
      onMoved: (moved) => {
        const { topic, partition, offset } = moved;
        queueMicrotask(() => this.emit('moved', { topic, partition, offset }));
        this.#passed({ topic, partition, offset });
        if (resolved.autoCommit) void this.#commitPast((one) => keyOf(one) === keyOf(moved));
      },
      isPaused: (partition) => this.#paused.has(keyOf(partition)),
    });
    this.#autoCommit = resolved.autoCommit
      ? setInterval(() => void this.#commitByInterval(), resolved.autoCommitIntervalMs)
      : null;
    this.#autoCommit?.unref();
    const onAbort = (): void => void this.close();
    this.#forgetSignal = () => signal?.removeEventListener('abort', onAbort);
    if (signal?.aborted) void this.close();
    else signal?.addEventListener('abort', onAbort, { once: true });
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
    this.#beginReading({ toldDone: false });
    try {
      for (let taken = await this.#take(signal); taken; taken = await this.#take(signal)) {
        yield taken.record;
        goPast(taken);
      }
    } finally {
      this.#reading = false;
    }
  }

  /**
   * As `records()`, for who asks for more before it is done with what it has: a record counts as gone past once its
   * `done()` is called, and those before it in its partition with it. Only what is gone past is committed, by itself or by
   * `commit()`. Where the partition was sought or lost in the meantime, or its log has begun anew, `done()` does nothing.
   */
  async *deliveries({
    signal,
  }: {
    readonly signal?: AbortSignal;
  } = {}): AsyncGenerator<Delivery, void, undefined> {
    this.#beginReading({ toldDone: true });
    try {
      for (let taken = await this.#take(signal); taken; taken = await this.#take(signal)) {
        yield { record: taken.record, done: goPast.bind(null, taken) };
      }
    } finally {
      this.#reading = false;
    }
  }

  /**
   * Commits the offset behind this record; without one, behind everything that the iteration has been given, the record
   * in hand included, or, once that is `deliveries()`, behind what is done. Rejects with `DiasporaError`, code
   * `COMMIT_FAILED`, also where the partition is another member's.
   */
  async commit(record?: Pick<ConsumedRecord, 'topic' | 'partition' | 'offset'>): Promise<void> {
    const all = this.#toldDone ? this.#positions.past() : this.#positions.given();
    const positions = record ? [after(record)] : all;
    await this.#member.commit(() => positions);
  }

  /**
   * Goes on at this offset, or at one end of the partition. What is committed stays as it is until the next commit.
   * Where the partition is not this member's, that is kept for when it is. Throws `RangeError` where the offset is
   * negative or above 2⁶³ − 1.
   */
  seek(partition: TopicPartition, target: SeekTarget): void {
    if (typeof target === 'bigint' ? target < 0n || target > maxOffset : !isEnd(target)) {
      throw new RangeError(
        `Cannot seek to ${String(target)}: give an offset as a bigint from 0n on, or 'earliest', or 'latest'.`,
      );
    }
    this.#member.seek(partition, target);
    this.#handoff.withdraw(isIn(partition));
  }

  /** Gives no more records of these partitions until `resume`. Default: all that are assigned. */
  pause(partitions: readonly TopicPartition[] = this.#positions.assigned()): void {
    for (const partition of partitions) this.#paused.set(keyOf(partition), partition);
    this.#member.pause(partitions);
    for (const partition of partitions) this.#handoff.withdraw(isIn(partition));
  }

  /** Default: all that are paused. */
  resume(partitions: readonly TopicPartition[] = [...this.#paused.values()]): void {
    for (const partition of partitions) this.#paused.delete(keyOf(partition));
    this.#member.resume(partitions);
  }

  /**
   * Ends the iteration, commits what it has gone past (unless `autoCommit` is false), and leaves the group. Takes at most
   * 8 seconds: where the brokers do not answer, a diagnostic says what was not committed. Never rejects.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #beginReading({ toldDone }: { readonly toldDone: boolean }): void {
    if (this.#reading) {
      throw new DiasporaError(
        'ALREADY_READING',
        'The consumer is being read already: share one iteration, or open a second consumer of the group.',
      );
    }
    this.#reading = true;
    this.#toldDone = toldDone;
  }

  /** Null at the end of the iteration. */
  async #take(signal: AbortSignal | undefined): Promise<Taken | null> {
    const read = await this.#handoff.take(signal);
    return read && { record: read.record, past: read.progress.give(read.record.offset) };
  }

  async #close(): Promise<void> {
    this.#forgetSignal();
    this.#handoff.close();
    if (this.#autoCommit) clearInterval(this.#autoCommit);
    const left = await inTime(closeTimeoutMs, this.#leave());
    this.#closed = true;
    if (!left) this.#reportUncommitted();
    await this.#member.disconnect();
    this.#clients.close();
  }

  async #leave(): Promise<void> {
    if (this.#autoCommit) await this.#commitPast();
    await this.#member.close();
  }

  #reportUncommitted(): void {
    const positions = this.#autoCommit ? this.#positions.uncommitted() : [];
    if (positions.length === 0) return;
    const places = positions.map(
      ({ topic, partition, offset }) => `${topic}/${partition} at ${offset}`,
    );
    this.#diagnostics.emit(
      'COMMIT_FAILED',
      `Offsets of group ${this.#groupId} were not committed: the brokers did not answer within ${closeTimeoutMs / 1_000} s of closing (${places.join(', ')}). A restart reads records again from where the last commit was.`,
    );
  }

  async #commitByInterval(): Promise<void> {
    if (this.#committing) return;
    this.#committing = true;
    // While the group shares its partitions anew, it refuses commits.
    await this.#commitPast((one) => this.#positions.current(one) !== null);
    this.#committing = false;
  }

  async #commitPast(which: (position: Position) => boolean = () => true): Promise<void> {
    try {
      // When it is its turn, a commit before may be ahead, and a partition may have gone to another member.
      await this.#member.commit(() => this.#positions.uncommitted().filter(which));
    } catch (error) {
      if (this.#closed) return;
      const next = this.#closing
        ? 'A restart reads those records again.'
        : 'They are tried again; until then a restart reads those records again.';
      this.#diagnostics.emit(
        'COMMIT_FAILED',
        `${error instanceof Error ? error.message : String(error)} ${next}`,
      );
    }
  }

  /** kafkajs fetches no more of a broker until this is done: that is the back-pressure. */
  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    const progress = this.#positions.current(batch);
    if (!progress) return;
    const goesOn = (): boolean =>
      isRunning() &&
      !isStale() &&
      !this.#paused.has(keyOf(batch)) &&
      this.#positions.current(batch) === progress;
    let beatAt = Date.now();
    for (const message of batch.messages) {
      if (Date.now() - beatAt > heartbeatMs) {
        await heartbeat();
        beatAt = Date.now();
      }
      if (!goesOn()) return;
      const record = recordOf(batch.topic, batch.partition, message);
      if (!(await this.#give({ record, progress }, payload))) return;
      // After a seek, kafkajs goes on there, and not behind this record.
      if (this.#positions.current(batch) !== progress) return;
      resolveOffset(message.offset);
    }
    const { topic, partition } = batch;
    this.#passed({ topic, partition, offset: BigInt(batch.lastOffset()) + 1n });
  }

  #passed(position: Position): void {
    // Not from here: what a listener throws is the app's, and not a failure of the membership.
    if (this.listenerCount('passed') > 0) queueMicrotask(() => this.emit('passed', position));
  }

  /** Waits for the iteration to take the record. False when it must not be taken any more. */
  async #give(read: Read, { heartbeat, isRunning }: EachBatchPayload): Promise<boolean> {
    const taken = this.#handoff.offer(read);
    if (taken === true) return true;
    const withdraw = (): void => this.#handoff.withdraw((waiting) => waiting === read);
    let failure: unknown;
    const timer = setInterval(() => {
      if (!isRunning()) withdraw();
      heartbeat().catch((error: unknown) => {
        // The group shares its partitions anew, and kafkajs must hear of it from here.
        failure ??= error;
        withdraw();
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

/** Where its partition was sought or lost in the meantime, or its log has begun anew, this is nobody's any more. */
function goPast({ record, past }: Taken): void {
  past.goTo(record.offset + 1n);
}

function after({ topic, partition, offset }: Position): Position {
  return { topic, partition, offset: offset + 1n };
}

function isIn(wanted: TopicPartition): (read: Read) => boolean {
  return ({ record: { topic, partition } }) =>
    topic === wanted.topic && partition === wanted.partition;
}

function isEnd(target: unknown): boolean {
  return target === 'earliest' || target === 'latest';
}

/** False where it takes longer. Keeps the process alive, as whoever waits for `close()` expects. */
async function inTime(milliseconds: number, done: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([done.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
