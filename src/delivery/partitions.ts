/** A topic's partitions as the brokers last told them, and what follows when they change. */
import type { Diagnostics } from '../diagnostics.ts';
import type { Topology } from './driver.ts';
import type { Intake } from './intake.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Troubles } from './troubles.ts';

/** Metadata older than this is asked for again, so that new partitions are found, in milliseconds. */
const maxAgeMs = 60_000;

/** While records wait for a leader, brokers that answer are asked this often at least, in milliseconds: Java's `retry.backoff.max.ms`. */
const electionPollMs = 1_000;

/** An election that takes longer is worth a word, in milliseconds. */
const electionNewsMs = 3_000;

export interface PartitionsOptions {
  readonly topic: string;
  readonly lanes: Lanes;
  readonly intake: Intake;
  readonly diagnostics: Diagnostics;
  readonly troubles: Troubles;
}

export class Partitions {
  readonly #options: PartitionsOptions;
  #rotation: readonly Lane[] = [];
  #topicId: string | null = null;
  /** Ids of topics of this name that are gone: a broker that lags may still tell of one. */
  readonly #formerTopics = new Set<string>();
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Since when records wait for a leader (`performance.now()` milliseconds); null while none do. */
  #leaderlessSince: number | null = null;
  #missingReported = false;

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  /** Lanes of today's partitions, by id. */
  get rotation(): readonly Lane[] {
    return this.#rotation;
  }

  /** Why records wait, where that lies with the topic's partitions; else null. */
  get trouble(): string | null {
    return this.#missingPartition() ?? this.#missingLeader();
  }

  /** Whether the brokers should be asked again: it is long ago, or records wait for what they did not tell. */
  outdated(now: number): boolean {
    return now - this.#toldAt > maxAgeMs || this.#lanesWithoutPartition().length > 0;
  }

  /** Answers null where every partition has a leader that is not in doubt; else within how many milliseconds to ask again. */
  follow({ topicId, partitions }: Topology): number | null {
    if (topicId !== null && this.#formerTopics.has(topicId)) return Number.POSITIVE_INFINITY;
    const { lanes, intake } = this.#options;
    const before = this.#rotation;
    const leaders = new Map(partitions.map(({ id, leader }) => [id, leader]));
    // Partitions are never taken away from a topic: where ids are not told, fewer of them tell of a new topic.
    const recreated =
      topicId === null || this.#topicId === null
        ? before.some((lane) => !leaders.has(lane.id))
        : topicId !== this.#topicId;
    if (recreated && this.#topicId !== null) this.#formerTopics.add(this.#topicId);
    this.#topicId = topicId ?? this.#topicId;
    this.#toldAt = performance.now();
    this.#rotation = partitions.map(({ id }) => lanes.of(id));
    for (const lane of lanes) {
      lane.hasPartition = leaders.has(lane.id);
      lane.follow(leaders.get(lane.id) ?? null);
    }
    intake.setPartitions(partitions.length);
    if (recreated) this.#leaveOldTopic();
    this.#reportTrouble();
    if (this.#leaderless() || this.#rotation.some(({ leaderInDoubt }) => leaderInDoubt)) {
      return electionPollMs;
    }
    const complete = this.#rotation.every(({ leader }) => leader !== null);
    return complete && this.#lanesWithoutPartition().length === 0 ? null : Number.POSITIVE_INFINITY;
  }

  /** `lane` has nothing under way: where its topic was made again, what it holds goes to the new one. */
  freed(lane: Lane): void {
    if (lane.topicGone) this.#moveToNewTopic(lane);
  }

  #leaveOldTopic(): void {
    const { topic, diagnostics, lanes } = this.#options;
    diagnostics.emit(
      'TOPIC_RECREATED',
      `Topic ${topic} was deleted and made again: records acknowledged before are gone with the old one; those not yet acknowledged go to the new one.`,
      { topic },
    );
    for (const lane of lanes) {
      lane.acknowledged = false;
      lane.topicGone = true;
      if (!lane.busy) this.#moveToNewTopic(lane);
    }
  }

  /** What was stored in the old topic is gone with it: a lane sends it again, or gives it to others where it has no partition now. */
  #moveToNewTopic(lane: Lane): void {
    const { intake } = this.#options;
    lane.topicGone = false;
    if (this.#rotation.includes(lane)) {
      lane.unhold();
      return;
    }
    const batches = [...lane.surrender(), ...lane.queue.batches()];
    for (const batch of batches) lane.queue.replace(batch, null);
    const named = batches.filter(({ namesPartition }) => namesPartition);
    intake.reroute(named, lane.id);
    intake.reroute(
      batches.filter((batch) => !named.includes(batch)),
      null,
    );
  }

  /** Lanes whose records name a partition that the topic does not have: they wait until it does. */
  #lanesWithoutPartition(): Lane[] {
    const { lanes } = this.#options;
    if (lanes.size === this.#rotation.length) return [];
    return [...lanes].filter((lane) => !lane.empty && !lane.hasPartition);
  }

  /** One whose records wait for a leader, those that any partition may take included. */
  #leaderless(): Lane | undefined {
    const { intake } = this.#options;
    const waiting = this.#rotation.find((lane) => lane.leader === null && !lane.empty);
    if (waiting || this.#rotation.some(({ leader }) => leader !== null)) return waiting;
    return this.#rotation.find((lane) => intake.readyAt(lane) < Number.POSITIVE_INFINITY);
  }

  #missingPartition(): string | null {
    const [lane] = this.#lanesWithoutPartition();
    // Before the brokers have told of the topic, nothing is known to be missing.
    if (!lane || this.#rotation.length === 0) return null;
    return `Topic ${this.#options.topic} has no partition ${lane.id}: it has ${this.#rotation.length}. Add partitions, or name another.`;
  }

  #missingLeader(): string | null {
    const lane = this.#leaderless();
    if (!lane) return null;
    return `Partition ${lane.id} of topic ${this.#options.topic} has no leader: are the brokers up that hold it?`;
  }

  #reportTrouble(): void {
    const { topic, diagnostics, troubles } = this.#options;
    const missing = this.#missingPartition();
    if (missing !== null && !this.#missingReported) troubles.missing(missing);
    if (missing === null && this.#missingReported) troubles.found();
    this.#missingReported = missing !== null;

    const leaderless = this.#missingLeader();
    const now = performance.now();
    this.#leaderlessSince = leaderless === null ? null : (this.#leaderlessSince ?? now);
    if (leaderless === null) return;
    troubles.waitsFor(leaderless);
    if (now - (this.#leaderlessSince ?? now) <= electionNewsMs) return;
    diagnostics.emit('BROKER_ERROR', leaderless, { topic });
  }
}
