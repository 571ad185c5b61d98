/** One membership of a consumer group after another: kafkajs's consumer, made anew whenever it stops for good. */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { backOff } from '../back-off.ts';
import type { BrokerFault } from '../broker-faults.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import type { ResolvedConsumer } from '../options.ts';
import { failureMessage, failureOf } from './failure.ts';
import { findOffsets } from './find-offsets.ts';
import type {
  Found,
  Position,
  Positions,
  SeekTarget,
  TopicPartition,
  Unplaced,
} from './positions.ts';

export interface GroupMemberOptions {
  readonly client: Kafka;
  readonly options: ResolvedConsumer;
  readonly diagnostics: Diagnostics;
  readonly positions: Positions;
  readonly onBatch: (payload: EachBatchPayload) => Promise<void>;
  /** The partitions have their places: what is sent from now on is read. */
  readonly onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** The group is about to share its partitions anew: the last moment to commit. */
  readonly onRebalancing: () => void;
  /** Nothing that was fetched may be given any more. */
  readonly onSuspended: () => void;
  /** The brokers refused who signs in. */
  readonly onSignInRefused: () => void;
  readonly isPaused: (partition: TopicPartition) => boolean;
}

interface Membership {
  readonly consumer: Consumer;
  /** How many commits the broker has acknowledged. */
  commits: number;
  /** Ends it for this reason. */
  readonly end: (reason: unknown) => void;
}

/**
 * How long a broker waits for something to answer, in milliseconds: Java's `fetch.max.wait.ms`. Leaving the
 * group waits for the fetch that is under way.
 */
const fetchWaitMs = 500;

/** Of so many failures in a row to find out where to go on, one is reported. */
const unplacedNews = 3;

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  #membership: Membership | null = null;
  #assigned: readonly TopicPartition[] = [];
  /** The last commit: one at a time, or an older one could reach the broker after a newer one. */
  #commits: Promise<void> = Promise.resolve();
  /** Whether a broker has ever answered. */
  #answered = false;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Asks for the positions when it is their turn. Rejects with `DiasporaError`, code `COMMIT_FAILED`. */
  commit(positions: () => readonly Position[]): Promise<void> {
    const done = this.#commits.then(() => this.#commit(positions()));
    this.#commits = done.catch(() => undefined);
    return done;
  }

  async #commit(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return;
    try {
      const membership = this.#membership;
      if (!membership) throw new Error('the consumer is not connected');
      const lost = positions.find((position) => !this.#options.positions.owns(position));
      if (lost) {
        throw new Error(
          `partition ${lost.partition} of topic ${lost.topic} is not assigned to this consumer`,
        );
      }
      const { commits } = membership;
      const committed = this.#options.positions.committing(positions);
      await membership.consumer.commitOffsets(
        positions.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: String(offset),
        })),
      );
      // kafkajs answers without asking the broker while it stops.
      if (membership.commits === commits) throw new Error('the consumer was leaving the group');
      committed();
    } catch (cause) {
      throw new DiasporaError(
        'COMMIT_FAILED',
        `Offsets of group ${this.#options.options.groupId} were not committed: ${failureMessage(cause)}.`,
        { cause },
      );
    }
  }

  /** Where there is no membership, or the partition is another member's, it is done as soon as it can be. */
  seek(partition: TopicPartition, target: SeekTarget): void {
    const unplaced = this.#options.positions.seek(partition, target);
    const membership = this.#membership;
    if (!unplaced || !membership) return;
    if (typeof target === 'bigint') this.#goOn(membership, unplaced, null);
    else void this.#place(membership, [unplaced]);
  }

  pause(partitions: readonly TopicPartition[]): void {
    const membership = this.#membership;
    if (membership) ask(() => membership.consumer.pause(byTopic(partitions)));
  }

  /** What has no place yet is resumed once it has one. */
  resume(partitions: readonly TopicPartition[]): void {
    const membership = this.#membership;
    const placed = partitions.filter((partition) => this.#options.positions.current(partition));
    if (membership) ask(() => membership.consumer.resume(byTopic(placed)));
  }

  /** Leaves the group. Never rejects. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { retry } = this.#options.options;
    let failures = 0;
    while (!this.#closed.signal.aborted) {
      const joinedAt = Date.now();
      const error = await this.#belong();
      if (this.#closed.signal.aborted) return;
      // A membership that lasted shows that things work: begin with short waits again.
      failures = Date.now() - joinedAt > 60_000 ? 0 : failures + 1;
      const waitMs = Math.ceil(backOff(failures, retry));
      this.#report(error, failures, waitMs);
      await this.#waitOrEnd(waitMs);
    }
  }

  async #waitOrEnd(milliseconds: number): Promise<void> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), milliseconds);
    await abortOf(this.#closed.signal, over.signal);
    clearTimeout(timer);
  }

  #report(error: unknown, failures: number, waitMs: number): void {
    const failure = this.#failureOf(error, false);
    if (!failure) return;
    const { code, message } = failure;
    // A new group's coordinator takes a moment to load: a first failure that passes is no news.
    if (code === 'CONSUMER_RESTARTED' && failures === 1) return;
    const { groupId } = this.#options.options;
    this.#options.diagnostics.emit(
      code,
      `${message} The consumer of group ${groupId} starts again by itself.`,
      { groupId, waitMs },
    );
  }

  #reportUnplaced(error: unknown, failures: number, waitMs: number): void {
    const failure = this.#failureOf(error, true);
    if (!failure) return;
    const { code, message } = failure;
    // An election passes by itself; missing rights do not.
    const isNews = failures % unplacedNews === 0 || (code === 'READ_DENIED' && failures === 1);
    if (!isNews) return;
    const { groupId } = this.#options.options;
    this.#options.diagnostics.emit(
      code,
      `${message} Until it is known where group ${groupId} goes on, some of its partitions are not read; that is asked again by itself.`,
      { groupId, waitMs },
    );
  }

  #failureOf(error: unknown, placing: boolean): BrokerFault | null {
    const { groupId, topics, tls } = this.#options.options;
    const attempt = { groupId, topics, encrypted: tls !== null, answered: this.#answered, placing };
    const failure = failureOf(error, attempt);
    if (failure?.code === 'SIGN_IN_REFUSED') this.#options.onSignInRefused();
    return failure;
  }

  /** One membership, from connecting to whatever ends it. Answers why it ended; never rejects. */
  async #belong(): Promise<unknown> {
    const { client, options } = this.#options;
    const consumer = client.consumer({
      groupId: options.groupId,
      maxWaitTimeInMs: fetchWaitMs,
      retry: {
        initialRetryTime: options.retry.minMs,
        maxRetryTime: options.retry.maxMs,
        // Recovery belongs here, where it is reported, and where positions are known.
        restartOnFailure: async () => false,
      },
    });
    let end = (_reason: unknown): void => undefined;
    const ended = new Promise<unknown>((resolve) => {
      end = resolve;
    });
    const membership: Membership = { consumer, commits: 0, end };
    consumer.on('consumer.crash', ({ payload }) => end(payload.error));
    consumer.on('consumer.commit_offsets', () => {
      membership.commits += 1;
    });
    // Many memberships may come before the end: each takes its listener back.
    const over = new AbortController();
    consumer.on('consumer.group_join', ({ payload }) => {
      // It may still be joining when it is given up.
      if (over.signal.aborted) return;
      this.#takeUp(membership, payload.memberAssignment, joined).catch(end);
    });
    consumer.on('consumer.rebalancing', () => {
      if (over.signal.aborted) return;
      this.#options.onRebalancing();
      this.#suspend();
    });
    const joined = this.#join(consumer);
    const closed = abortOf(this.#closed.signal, over.signal);
    try {
      // A crash while joining is told before joining ends, and with its reason.
      return await Promise.race([ended, closed, joined.then(() => ended)]);
    } catch (error) {
      return error;
    } finally {
      over.abort();
      this.#suspend();
      this.#membership = null;
      await leave(consumer);
      // Where the end came while it was still joining, it must not stay in the group afterwards.
      void joined.catch(() => undefined).then(() => leave(consumer));
    }
  }

  async #join(consumer: Consumer): Promise<void> {
    const { options, onBatch } = this.#options;
    await consumer.connect();
    this.#answered = true;
    await consumer.subscribe({
      topics: [...options.topics],
      fromBeginning: options.autoOffsetReset === 'earliest',
    });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: onBatch });
  }

  #suspend(): void {
    const { positions } = this.#options;
    positions.suspend();
    this.pause(positions.assigned());
    this.#options.onSuspended();
  }

  async #takeUp(
    membership: Membership,
    assignment: Readonly<Record<string, readonly number[]>>,
    joined: Promise<void>,
  ): Promise<void> {
    const { positions, options, diagnostics, onAssigned, onSuspended } = this.#options;
    const partitions = Object.entries(assignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    if (this.#closed.signal.aborted) return;
    this.#membership = membership;
    this.#assigned = partitions;
    positions.assign(partitions);
    onSuspended();
    const { groupId } = options;
    diagnostics.emit('CONNECTED', `Joined group ${groupId} with ${partitions.length} partitions.`, {
      groupId,
      partitions: partitions.length,
    });
    await this.#place(membership, positions.unplaced());
    // Before that, kafkajs would leave commits undone.
    await joined;
    if (this.#membership === membership && this.#assigned === partitions) onAssigned(partitions);
  }

  /**
   * Nothing is fetched of these partitions until it is known where to go on. Asks until it is, or until that is not
   * wanted any more: one that left the group for it would make all the others stop, too. Never rejects.
   */
  async #place(membership: Membership, unplaced: readonly Unplaced[]): Promise<void> {
    const { client, options, positions } = this.#options;
    const isWanted = (one: Unplaced): boolean =>
      !this.#closed.signal.aborted && this.#membership === membership && positions.isUnplaced(one);
    let left = unplaced.filter(isWanted);
    if (left.length > 0) ask(() => membership.consumer.pause(byTopic(left)));
    for (let failures = 1; left.length > 0; failures += 1) {
      try {
        await findOffsets(client, options, left, (one, found) => {
          this.#goOn(membership, one, found);
          return isWanted(one);
        });
        return;
      } catch (error) {
        left = left.filter(isWanted);
        if (left.length === 0) return;
        const waitMs = Math.ceil(backOff(failures, options.retry));
        this.#reportUnplaced(error, failures, waitMs);
        await this.#waitOrEnd(waitMs);
        left = left.filter(isWanted);
      }
    }
  }

  #goOn(membership: Membership, unplaced: Unplaced, found: Found | null): void {
    if (this.#membership !== membership) return;
    const { positions, isPaused } = this.#options;
    const offset = positions.place(unplaced, found);
    if (offset === null) return;
    const { topic, partition } = unplaced;
    ask(() => {
      membership.consumer.seek({ topic, partition, offset: String(offset) });
      if (!isPaused(unplaced)) membership.consumer.resume(byTopic([unplaced]));
    });
  }
}

/** kafkajs throws where its membership has just ended: the next one does it all again. */
function ask(call: () => void): void {
  try {
    call();
  } catch {}
}

async function leave(consumer: Consumer): Promise<void> {
  await consumer.disconnect().catch(() => undefined);
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }));
}

/** Resolves when one of the signals is aborted, and leaves no listener behind. */
function abortOf(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', end);
      resolve();
    };
    if (signals.some(({ aborted }) => aborted)) return resolve();
    for (const signal of signals) signal.addEventListener('abort', end);
  });
}
