/** One membership of a consumer group after another: kafkajs's consumer, made anew whenever it stops for good. */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { backOff } from '../back-off.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import type { ResolvedConsumer } from '../options.ts';
import { failureMessage, failureOf } from './failure.ts';
import type { Position, TopicPartition } from './positions.ts';

/** Where to go on: an offset, or one end of the partition. */
export type SeekTarget = bigint | 'earliest' | 'latest';

export interface GroupMemberOptions {
  readonly client: Kafka;
  readonly options: ResolvedConsumer;
  readonly diagnostics: Diagnostics;
  readonly onBatch: (payload: EachBatchPayload) => Promise<void>;
  readonly onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** The group is about to share its partitions anew: the last moment to commit. */
  readonly onRebalancing: () => void;
  /** The brokers refused who signs in. */
  readonly onSignInRefused: () => void;
  /** Where to go on after a failure, beside what was committed. */
  readonly positions: () => readonly Position[];
  readonly paused: () => readonly TopicPartition[];
}

/**
 * How long a broker waits for something to answer, in milliseconds: Java's `fetch.max.wait.ms`. Leaving the
 * group waits for the fetch that is under way.
 */
const fetchWaitMs = 500;

/** As kafkajs names the ends of a partition (ListOffsets, KIP-79). */
const ends = { latest: '-1', earliest: '-2' } as const;

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  /** Asked for while there was no membership to ask it of. */
  readonly #seeks = new Map<string, TopicPartition & { readonly target: SeekTarget }>();
  #consumer: Consumer | null = null;
  /** Whether a broker has ever answered. */
  #answered = false;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Throws `DiasporaError` with the code `COMMIT_FAILED`. */
  async commit(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return;
    try {
      if (!this.#consumer) throw new Error('the consumer is not connected');
      await this.#consumer.commitOffsets(
        positions.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: String(offset),
        })),
      );
    } catch (cause) {
      throw new DiasporaError(
        'COMMIT_FAILED',
        `Offsets of group ${this.#options.options.groupId} were not committed: ${failureMessage(cause)}.`,
        { cause },
      );
    }
  }

  seek(partition: TopicPartition, target: SeekTarget): void {
    const offset = typeof target === 'bigint' ? String(target) : ends[target];
    if (this.#consumer) {
      this.#consumer.seek({ topic: partition.topic, partition: partition.partition, offset });
    } else {
      this.#seeks.set(`${partition.topic}:${partition.partition}`, { ...partition, target });
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#consumer?.pause(byTopic(partitions));
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#consumer?.resume(byTopic(partitions));
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
    const { groupId, topics, tls } = this.#options.options;
    const attempt = { groupId, topics, encrypted: tls !== null, answered: this.#answered };
    const failure = failureOf(error, attempt);
    if (!failure) return;
    const { code, message } = failure;
    if (code === 'SIGN_IN_REFUSED') this.#options.onSignInRefused();
    // A new group's coordinator takes a moment to load: a first failure that passes is no news.
    if (code === 'CONSUMER_RESTARTED' && failures === 1) return;
    this.#options.diagnostics.emit(
      code,
      `${message} The consumer of group ${groupId} starts again by itself.`,
      { groupId, waitMs },
    );
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
    const crashed = new Promise<unknown>((resolve) => {
      consumer.on('consumer.crash', ({ payload }) => resolve(payload.error));
    });
    consumer.on('consumer.group_join', ({ payload }) => this.#assigned(payload.memberAssignment));
    consumer.on('consumer.rebalancing', () => this.#options.onRebalancing());
    const joined = this.#join(consumer);
    // Many memberships may come before the end: each takes its listener back.
    const over = new AbortController();
    const closed = abortOf(this.#closed.signal, over.signal);
    try {
      await Promise.race([joined, closed]);
      return await Promise.race([crashed, closed]);
    } catch (error) {
      return error;
    } finally {
      this.#consumer = null;
      over.abort();
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
    if (!this.#closed.signal.aborted) this.#begin(consumer);
  }

  /** Takes up where the last membership ended: what was read since the last commit is not read again. */
  #begin(consumer: Consumer): void {
    const paused = this.#options.paused();
    this.#consumer = consumer;
    this.#goOn();
    for (const { target, ...partition } of this.#seeks.values()) this.seek(partition, target);
    this.#seeks.clear();
    if (paused.length > 0) this.pause(paused);
  }

  #assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    const partitions = Object.entries(assignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    const { groupId } = this.#options.options;
    this.#options.diagnostics.emit(
      'CONNECTED',
      `Joined group ${groupId} with ${partitions.length} partitions.`,
      { groupId, partitions: partitions.length },
    );
    this.#options.onAssigned(partitions);
    // A partition that stayed this member's was read by nobody else: what was given is not given again.
    if (this.#consumer) this.#goOn();
  }

  #goOn(): void {
    for (const { topic, partition, offset } of this.#options.positions()) {
      this.seek({ topic, partition }, offset);
    }
  }
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
