/** One membership of a consumer group after another: a new one is made whenever kafkajs's consumer stops for good, or hangs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EachBatchPayload } from 'kafkajs';
import { waitedFor } from '../auth/waited-for.ts';
import { backOff } from '../back-off.ts';
import { type BrokerFault, certificateLife } from '../broker-faults.ts';
import { within } from '../deadline.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { DiasporaError } from '../errors.ts';
import type { ResolvedConsumer } from '../options.ts';
import type { Clients, NewClient } from './clients.ts';
import { failureMessage, failureOf } from './failure.ts';
import { Membership } from './membership.ts';
import { type Moved, Placing } from './placing.ts';
import type { Position, Positions, SeekTarget, TopicPartition, Unplaced } from './positions.ts';
import { HangError } from './watch.ts';

export interface GroupMemberOptions {
  /** Each membership has connections of its own. */
  readonly clients: Clients;
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
  /** There are no records up to this offset. */
  readonly onSkipped: (position: Position) => void;
  /** This is where the partition goes on, since its log did not hold the place. */
  readonly onMoved: (position: Position) => void;
  readonly isPaused: (partition: TopicPartition) => boolean;
}

/** Of so many failures in a row to find out where to go on, one is reported. */
const unplacedNews = 3;

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #placing: Placing;
  readonly #closed = new AbortController();
  readonly #disconnected = new AbortController();
  readonly #running: Promise<void>;
  /** The present one, once it has its partitions. */
  #membership: Membership | null = null;
  /** As the group shared them out last; empty once it is about to do so anew. */
  #assigned: readonly TopicPartition[] = [];
  /** Sought to an end in this turn of the event loop: one look-up serves them all. */
  #sought: Unplaced[] = [];
  /** The last commit: one at a time, or an older one could reach the broker after a newer one. */
  #commits: Promise<void> = Promise.resolve();
  /** Whether a broker has ever answered. */
  #answered = false;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#placing = new Placing({
      ...options,
      onFailure: (error, failures, waitMs) => this.#reportUnplaced(error, failures, waitMs),
      onMoved: (moved) => {
        this.#reportMoved(moved);
        options.onMoved(moved);
      },
    });
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
      const committed = this.#options.positions.committing(positions);
      await membership.commit(positions);
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
    if (typeof target === 'bigint') this.#placing.goOn(membership, unplaced, null);
    else this.#placeSoon(unplaced);
  }

  #placeSoon(unplaced: Unplaced): void {
    this.#sought.push(unplaced);
    if (this.#sought.length > 1) return;
    queueMicrotask(() => {
      const sought = this.#sought;
      this.#sought = [];
      if (this.#membership) void this.#placing.place(this.#membership, sought);
    });
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#membership?.pause(partitions);
  }

  /** What has no place yet is resumed once it has one. */
  resume(partitions: readonly TopicPartition[]): void {
    const { positions } = this.#options;
    this.#membership?.resume(partitions.filter((partition) => positions.current(partition)));
  }

  /** Leaves the group. Never rejects. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  /** Breaks its connections, where `close()` takes too long. Never rejects. */
  async disconnect(): Promise<void> {
    this.#disconnected.abort();
    await this.close();
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
      await sleep(waitMs, undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
  }

  #report(error: unknown, failures: number, waitMs: number): void {
    const failure = this.#failureOf(error, false);
    if (!failure) return;
    const { code, message } = failure;
    // A new group's coordinator takes a moment to load: a first failure that passes is no news.
    if (code === 'CONSUMER_RESTARTED' && failures === 1 && !(error instanceof HangError)) return;
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

  #reportMoved({ topic, partition, from, offset, ends }: Moved): void {
    const { groupId, autoOffsetReset } = this.#options.options;
    const { earliest } = ends;
    const lost =
      from < earliest
        ? `Records of partition ${partition} of topic ${topic} were deleted before group ${groupId} had read them: it was at offset ${from}, and the log begins at ${earliest}.`
        : `Partition ${partition} of topic ${topic} ends before offset ${from}, at which group ${groupId} was.`;
    const detail = { groupId, topic, partition, from: String(from), to: String(offset) };
    this.#options.diagnostics.emit(
      'OFFSET_OUT_OF_RANGE',
      `${lost} It goes on at ${offset}, as autoOffsetReset '${autoOffsetReset}' says.`,
      detail,
    );
  }

  #failureOf(error: unknown, placing: boolean): BrokerFault | null {
    const { groupId, topics, tls } = this.#options.options;
    const { clients } = this.#options;
    const failure = failureOf(error, {
      groupId,
      topics,
      encrypted: tls !== null,
      answered: this.#answered,
      placing,
      remedy: clients.remedy,
      secrets: clients.secrets,
    });
    if (failure?.code === 'SIGN_IN_REFUSED') clients.refused();
    if (failure?.code !== 'CLIENT_CERTIFICATE_REFUSED') return failure;
    const life = certificateLife(tls);
    return life === null ? failure : { ...failure, message: `${failure.message} ${life}` };
  }

  /** One membership, from connecting to whatever ends it. Answers why it ended; never rejects. */
  async #belong(): Promise<unknown> {
    const { options, onBatch, onRebalancing, onSkipped } = this.#options;
    let newClient: NewClient;
    try {
      newClient = await this.#ready();
    } catch (error) {
      return error;
    }
    const membership = new Membership({
      newClient,
      options,
      onBatch,
      onConnected: () => {
        this.#answered = true;
      },
      onJoined: (joined, partitions) => {
        this.#takeUp(joined, partitions).catch((error: unknown) => joined.end(error));
      },
      onRebalancing: () => {
        onRebalancing();
        this.#suspend();
      },
      onSkipped,
      onOutOfRange: (partition) => {
        const unplaced = this.#options.positions.refuse(partition);
        if (unplaced) this.#placeSoon(unplaced);
      },
    });
    await abortOf(this.#closed.signal, membership.over);
    membership.end(new Error('the consumer is closed'));
    this.#suspend();
    this.#membership = null;
    await membership.leave(this.#disconnected.signal);
    return membership.over.reason;
  }

  #ready(): Promise<NewClient> {
    const { clients, options } = this.#options;
    const timeoutMs = 2 * options.requestTimeoutMs;
    const late = (): Error => new Error(`nothing to sign in with within ${timeoutMs / 1_000} s`);
    const { signal } = this.#closed;
    // What is asked keeps no process alive, unlike kafkajs: one that reads would end before it has begun.
    return waitedFor(within(clients.ready(), { timeoutMs, late, signal }));
  }

  #suspend(): void {
    const { positions } = this.#options;
    this.#assigned = [];
    positions.suspend();
    this.pause(positions.assigned());
    this.#options.onSuspended();
  }

  async #takeUp(membership: Membership, partitions: readonly TopicPartition[]): Promise<void> {
    const { positions, options, diagnostics, onAssigned, onSuspended } = this.#options;
    this.#membership = membership;
    this.#assigned = partitions;
    positions.assign(partitions);
    onSuspended();
    const { groupId } = options;
    diagnostics.emit('CONNECTED', `Joined group ${groupId} with ${partitions.length} partitions.`, {
      groupId,
      partitions: partitions.length,
    });
    await this.#placing.place(membership, positions.unplaced());
    // Before that, kafkajs would leave commits undone.
    await membership.joined.catch(() => undefined);
    // Not where the group shares anew: what was being placed is overtaken, and nothing has its place.
    if (this.#membership === membership && this.#assigned === partitions) onAssigned(partitions);
  }
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
