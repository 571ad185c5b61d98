/** One partition's way to its leader: a producer epoch, the next sequence, and one batch at a time. */
import type { Driver, Stamp } from './driver.ts';
import type { QueuedBatch } from './queued-batch.ts';
import { RecordQueue } from './record-queue.ts';
import { maxEpoch, sequenceAfter } from './stamps.ts';

/** Who stamps: a producer id, and where a lane begins under it. */
export interface Identity {
  readonly producerId: bigint;
  readonly epoch: number;
  /** 0, but in tests of what happens where sequences wrap. */
  readonly sequence: number;
}

export class Lane {
  readonly id: number;
  /** Records that must go here. */
  readonly queue: RecordQueue;
  /** The leader failed in a way that another one would explain. */
  leaderInDoubt = false;
  /** False where records name a partition that the topic does not have. */
  hasPartition = false;
  /** A request for it is under way. */
  busy = false;
  /** No attempt before this (`performance.now()` milliseconds). */
  retryAt = 0;
  /** Attempts that failed since the last success. */
  attempt = 0;
  /** The broker has acknowledged something under this producer id. */
  acknowledged = false;
  /** The topic was made again while a request was under way: what follows waits for its end. */
  topicGone = false;
  /**
   * Batches that their leader shows as stored but refuses to take again, because of their size or
   * content: settled once the next sequence of the same epoch is acknowledged.
   */
  readonly #held: QueuedBatch[] = [];
  /** Handed over and not settled, oldest first: the first is the one to send. More than one only after a split. */
  readonly #pending: QueuedBatch[] = [];
  #leader: number | null = null;
  /** Since the last success another leader was tried without a pause: brokers may disagree about who leads. */
  #newLeaderTried = false;
  #identity: Identity | null = null;
  #epoch = 0;
  #nextSequence = 0;

  constructor(id: number, driver: Driver) {
    this.id = id;
    this.queue = new RecordQueue(driver);
  }

  /** Broker that leads the partition; null while nobody does. */
  get leader(): number | null {
    return this.#leader;
  }

  /** A new leader is tried at once: what the one before failed at is no reason to wait. */
  follow(leader: number | null): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.leaderInDoubt = false;
    if (this.attempt > 0 && !this.busy) this.#tryNewLeader();
  }

  /** An attempt at this broker failed; the next one comes then (`performance.now()` milliseconds). */
  failed(broker: number, retryAt: number, staleTopology: boolean): void {
    this.attempt += 1;
    this.retryAt = retryAt;
    if (broker !== this.#leader) this.#tryNewLeader();
    else if (staleTopology) this.leaderInDoubt = true;
  }

  /** The batch to send, or to send again. */
  get head(): QueuedBatch | null {
    return this.#pending[0] ?? null;
  }

  /** All that is handed over and not settled, oldest first. */
  get unanswered(): QueuedBatch[] {
    return [...this.#held, ...this.#pending];
  }

  /** Nothing waits here and nothing is on its way. */
  get empty(): boolean {
    return this.#pending.length === 0 && this.#held.length === 0 && this.queue.oldest === null;
  }

  get holds(): boolean {
    return this.#held.length > 0;
  }

  get producerId(): bigint | null {
    return this.#identity?.producerId ?? null;
  }

  /** True when epochs have run out: the lane needs a new producer id before anything new is stamped. */
  get exhausted(): boolean {
    return this.#epoch > maxEpoch;
  }

  /** Goes on under another identity, or under none. Batches handed over and never stored get its stamps. */
  adopt(identity: Identity | null): void {
    this.#identity = identity;
    this.#epoch = identity?.epoch ?? 0;
    this.#nextSequence = identity?.sequence ?? 0;
    this.acknowledged = false;
    for (const batch of this.#pending) this.#stamp(batch);
  }

  /** Takes a batch over: from here on it belongs to this partition and to its stamp. */
  handOver(batch: QueuedBatch): void {
    this.#stamp(batch);
    this.#pending.push(batch);
  }

  /** `batch`, the head, is acknowledged. Answers the held ones that are proved stored with it. */
  acknowledge(batch: QueuedBatch): QueuedBatch[] {
    this.#takeHead(batch);
    this.#recover();
    this.acknowledged = true;
    return this.topicGone ? [] : this.#held.splice(0);
  }

  /** Puts parts in the place of `batch`, the head; they share its stamp out between them, in their order. */
  split(batch: QueuedBatch, parts: readonly QueuedBatch[]): void {
    this.#takeHead(batch);
    let { stamp } = batch;
    for (const part of parts) {
      part.stamp = stamp;
      stamp = stamp && { ...stamp, baseSequence: sequenceAfter(stamp.baseSequence, part.count) };
    }
    this.#pending.unshift(...parts);
  }

  /** Puts the same records, encoded anew, in the place of `batch`, the head. */
  replace(batch: QueuedBatch, again: QueuedBatch): void {
    this.#takeHead(batch);
    this.#pending.unshift(again);
  }

  /** Keeps `batch`, the head, aside until the next one proves it stored. */
  hold(batch: QueuedBatch): void {
    this.#takeHead(batch);
    this.#recover();
    this.#held.push(batch);
  }

  /** Takes `batch`, the head, out, for good and without an acknowledgement. `restamp` must follow. */
  remove(batch: QueuedBatch): void {
    this.#takeHead(batch);
    this.#recover();
  }

  /** What is held goes first again, under its stamps. */
  unhold(): void {
    this.#pending.unshift(...this.#held.splice(0));
  }

  /**
   * Goes on under the next epoch, from sequence 0: for batches that can no longer be stored as they
   * were stamped. Answers those that were held: nothing can prove them stored any more, and they go first.
   */
  restamp(): QueuedBatch[] {
    const unproven = [...this.#held];
    this.unhold();
    if (this.#identity === null) return unproven;
    this.#epoch += 1;
    this.#nextSequence = 0;
    if (!this.exhausted) for (const batch of this.#pending) this.#stamp(batch);
    return unproven;
  }

  /** Gives up everything handed over: its partition is gone, and with it whatever was stored. */
  surrender(): QueuedBatch[] {
    const batches = this.unanswered;
    this.#held.length = 0;
    this.#pending.length = 0;
    this.#recover();
    this.restamp();
    return batches;
  }

  /** What the head failed at concerns what comes after it no more. */
  #recover(): void {
    this.attempt = 0;
    this.retryAt = 0;
    this.leaderInDoubt = false;
    this.#newLeaderTried = false;
  }

  #tryNewLeader(): void {
    if (this.#newLeaderTried) return;
    this.#newLeaderTried = true;
    this.retryAt = 0;
  }

  #takeHead(batch: QueuedBatch): void {
    if (this.#pending.shift() !== batch) {
      throw new Error(`a batch was settled that is not the head of lane ${this.id}`);
    }
  }

  #stamp(batch: QueuedBatch): void {
    batch.stamp = this.#identity && this.#nextStamp(this.#identity.producerId);
    this.#nextSequence = sequenceAfter(this.#nextSequence, batch.count);
  }

  #nextStamp(producerId: bigint): Stamp {
    return { producerId, epoch: this.#epoch, baseSequence: this.#nextSequence };
  }
}
