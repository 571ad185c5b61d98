/** One membership of a consumer group: kafkajs's consumer and its own connections, until it stops for good or hangs. */
import { setMaxListeners } from 'node:events';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { within } from '../deadline.ts';
import type { ResolvedConsumer } from '../options.ts';
import type { NewClient } from './clients.ts';
import type { Client } from './kafkajs-client.ts';
import type { Position, TopicPartition } from './positions.ts';
import { rebalanceTimeoutMs, Watch } from './watch.ts';

export interface MembershipOptions {
  readonly newClient: NewClient;
  readonly options: ResolvedConsumer;
  readonly onBatch: (payload: EachBatchPayload) => Promise<void>;
  /** A broker has answered. */
  readonly onConnected: () => void;
  /** The group has given out its partitions: these. */
  readonly onJoined: (membership: Membership, partitions: readonly TopicPartition[]) => void;
  /** The group is about to share its partitions anew. */
  readonly onRebalancing: () => void;
  /** There are no records up to this offset: only marks of transactions, or nothing any more. */
  readonly onSkipped: (position: Position) => void;
  /** The partition is paused: its log does not hold the offset that was fetched. */
  readonly onOutOfRange: (partition: TopicPartition) => void;
}

/**
 * How long a broker waits for something to answer, in milliseconds: Java's `fetch.max.wait.ms`. Leaving the
 * group waits for the fetch that is under way.
 */
const fetchWaitMs = 500;

/** How long leaving the group may take, in milliseconds. The group waits for a member that did not leave. */
const leaveTimeoutMs = 3_000;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #client: Client;
  readonly #consumer: Consumer;
  readonly #watch: Watch;
  readonly #over = new AbortController();
  #commits = 0;
  /** The group shares its partitions anew, and has not given out this member's. */
  #rejoining = false;
  /** Until kafkajs runs; rejects where that fails. */
  readonly joined: Promise<void>;
  /** For look-ups of this membership: they sign in as it does. */
  readonly newClient: NewClient;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.newClient = options.newClient;
    // As many look-ups may wait for its end as the app has sought: Node would warn the app of a leak.
    setMaxListeners(0, this.over);
    const { groupId, retry } = options.options;
    this.#client = options.newClient({
      onConnecting: () => this.#watch.alive(),
      onTokenFailed: (error) => this.end(error),
      onOutOfRange: (partition) => {
        if (this.over.aborted) return;
        this.pause([partition]);
        options.onOutOfRange(partition);
      },
    });
    this.#consumer = this.#client.kafka.consumer({
      groupId,
      maxWaitTimeInMs: fetchWaitMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      retry: {
        initialRetryTime: retry.minMs,
        maxRetryTime: retry.maxMs,
        // Recovery belongs to whoever makes memberships, where it is reported, and where positions are known.
        restartOnFailure: async () => false,
      },
    });
    this.#watch = new Watch(this.#consumer, options.options, (error) => this.end(error));
    this.#listen();
    this.joined = this.#join();
    // A crash while joining is told before joining ends, and with its reason.
    this.joined.catch((error: unknown) => this.end(error));
  }

  /** Aborted at its end, with the reason. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** The first reason holds. */
  end(reason: unknown): void {
    this.#watch.stop();
    this.#over.abort(reason);
  }

  #listen(): void {
    const { onJoined, onRebalancing, onSkipped } = this.#options;
    this.#consumer.on('consumer.crash', ({ payload }) => this.end(payload.error));
    this.#consumer.on('consumer.commit_offsets', () => {
      this.#commits += 1;
    });
    this.#consumer.on('consumer.group_join', ({ payload }) => {
      // It may still be joining when it is given up.
      if (this.over.aborted) return;
      this.#rejoining = false;
      const partitions = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition })),
      );
      onJoined(this, partitions);
    });
    this.#consumer.on('consumer.rebalancing', () => {
      if (this.over.aborted) return;
      this.#rejoining = true;
      onRebalancing();
    });
    this.#consumer.on('consumer.end_batch_process', ({ payload }) => {
      const { topic, partition, batchSize, lastOffset } = payload;
      // What has records is told by whoever hands them on.
      if (batchSize > 0 || this.over.aborted) return;
      onSkipped({ topic, partition, offset: BigInt(lastOffset) + 1n });
    });
    // Where its SyncGroup has failed, kafkajs fetches on with the partitions that it had. As a member of the new generation
    // its heartbeats are answered, so that it would never learn of those that it has now.
    this.#consumer.on('consumer.fetch_start', () => {
      if (this.#rejoining) this.end(new Error('it could not join the group again'));
    });
  }

  async #join(): Promise<void> {
    const { options, onBatch, onConnected } = this.#options;
    await this.#consumer.connect();
    onConnected();
    await this.#consumer.subscribe({
      topics: [...options.topics],
      fromBeginning: options.autoOffsetReset === 'earliest',
    });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // One that hung may go on after all: by then another membership reads these records.
      eachBatch: (payload) =>
        onBatch({ ...payload, isRunning: () => !this.over.aborted && payload.isRunning() }),
    });
  }

  /** Resolves once a broker has acknowledged it; rejects at the end of the membership, too. */
  async commit(positions: readonly Position[]): Promise<void> {
    const commits = this.#commits;
    const offsets = positions.map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset: String(offset),
    }));
    await untilOver(this.#consumer.commitOffsets(offsets), this.over);
    // kafkajs answers without asking the broker while it stops.
    if (this.#commits === commits) throw new Error('the consumer was leaving the group');
  }

  pause(partitions: readonly TopicPartition[]): void {
    ask(() => this.#consumer.pause(byTopic(partitions)));
  }

  resume(partitions: readonly TopicPartition[]): void {
    ask(() => this.#consumer.resume(byTopic(partitions)));
  }

  seek({ topic, partition, offset }: Position): void {
    ask(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
  }

  /** After its end: leaves the group, unless that takes too long or the signal is aborted; then breaks its connections. */
  async leave(signal: AbortSignal): Promise<void> {
    const late = (): Error => new Error('leaving the group took too long');
    await within(this.#consumer.disconnect(), { timeoutMs: leaveTimeoutMs, late, signal }).catch(
      () => undefined,
    );
    this.#client.disconnect();
  }
}

/** kafkajs throws where its membership has just ended: the next one does it all again. */
function ask(call: () => void): void {
  try {
    call();
  } catch {}
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }));
}

/** As the promise, or rejects once the signal is aborted. */
function untilOver<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}
