/** Gives each broker that is free one batch of each of its lanes, and follows leaders and partitions. */
import { backOff } from '../back-off.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { RetryOptions } from '../options.ts';
import type { Driver, Topology } from './driver.ts';
import { Inquiry } from './inquiry.ts';
import type { Intake } from './intake.ts';
import type { Identity, Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Ledger } from './ledger.ts';
import { Partitions } from './partitions.ts';
import type { QueuedBatch } from './queued-batch.ts';
import { Resolver } from './resolver.ts';
import { Troubles } from './troubles.ts';

/** A lane that failed so often in a row has its leader looked up again, whatever the failures were. */
const attemptsBeforeLookup = 4;

/** While somebody waits, attempts are no further apart than this, in milliseconds. */
const hurriedMaxMs = 500;

export interface DispatcherOptions {
  readonly topic: string;
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly lanes: Lanes;
  readonly intake: Intake;
  readonly diagnostics: Diagnostics;
  readonly retry: Required<RetryOptions>;
  /** False where delivery is at least once. */
  readonly stamped: boolean;
  /** Where each lane begins under a new producer id; undefined for where the broker says. */
  readonly beginAt: { readonly epoch: number; readonly sequence: number } | undefined;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #troubles: Troubles;
  readonly #resolver: Resolver;
  readonly #topology: Inquiry<Topology>;
  readonly #producerId: Inquiry<{ readonly producerId: bigint; readonly epoch: number } | null>;
  readonly #partitions: Partitions;
  #turn = 0;
  /** Undefined until the broker gave one; null where it gives none. */
  #identity: Identity | null | undefined;
  readonly #busyBrokers = new Set<number>();
  /** How many flushes wait. */
  #hurried = 0;
  #fenced = false;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: DispatcherOptions) {
    const { driver } = options;
    const retry = (): Required<RetryOptions> => this.#retry;
    this.#options = options;
    const troubles = new Troubles({ ...options, counters: options.ledger.counters });
    this.#troubles = troubles;
    this.#resolver = new Resolver({
      ...options,
      troubles,
      onFenced: () => this.#stopShipping(),
      onStaleTopology: () => this.#topology.start(),
      stopped: () => this.#stopped,
    });
    this.#partitions = new Partitions({
      ...options,
      troubles,
    });
    this.#topology = new Inquiry({
      retry,
      ask: () => driver.topology(),
      onAnswer: (topology) => {
        const askWithinMs = this.#partitions.follow(topology);
        this.pump();
        return askWithinMs;
      },
      onFailure: (failure, attempt) => troubles.report(failure, attempt),
    });
    this.#producerId = new Inquiry({
      retry,
      ask: () => driver.initProducerId(),
      onAnswer: (given) => this.#identify(given),
      onFailure: (failure, attempt) => troubles.report(failure, attempt),
    });
    if (options.stamped) this.#producerId.start();
    else this.#identity = null;
    this.#topology.start();
  }

  /** True once another process goes on under the same producer id: nothing is sent any more. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /** Why records wait. */
  get lastFailure(): string {
    return this.#troubles.lasting ?? this.#partitions.trouble ?? this.#troubles.reason;
  }

  /** Somebody waits: no attempt is put off any longer, and later ones not for long. Until `calm`, as often. */
  hurry(): void {
    this.#hurried += 1;
    // Once: many who wait at a time must not make many attempts.
    if (this.#hurried === 1) {
      this.#topology.hurry();
      this.#producerId.hurry();
      for (const lane of this.#options.lanes) lane.retryAt = 0;
    }
    this.pump();
  }

  calm(): void {
    this.#hurried -= 1;
  }

  /** Stops. Answers all that is not settled, and where it was to go. */
  stop(): { readonly batch: QueuedBatch; readonly partition: number | null }[] {
    this.#stopped = true;
    this.#topology.stop();
    this.#producerId.stop();
    if (this.#timer) clearTimeout(this.#timer);
    const { lanes, intake } = this.#options;
    const unanswered = [...lanes].flatMap((lane) =>
      lane.unanswered.map((batch) => ({ batch, partition: lane.id })),
    );
    return [...unanswered, ...intake.waiting().map((batch) => ({ batch, partition: null }))];
  }

  /** Sends whatever can be sent now, and sets the clock for what can be sent later. */
  pump(): void {
    if (this.#stopped || this.#fenced) return;
    const now = performance.now();
    if (this.#partitions.outdated(now)) this.#topology.start();
    if (this.#identity === undefined) return;
    const { rotation } = this.#partitions;
    const requests = new Map<number, Lane[]>();
    let wakeAt = Number.POSITIVE_INFINITY;
    let nextTurn = this.#turn;
    for (let step = 0; step < rotation.length; step += 1) {
      const lane = rotation[(this.#turn + step) % rotation.length];
      if (!lane || lane.busy || lane.leader === null || this.#busyBrokers.has(lane.leader))
        continue;
      if (lane.retryAt > now) {
        wakeAt = Math.min(wakeAt, lane.retryAt);
        continue;
      }
      if (!this.#canStamp(lane, this.#identity)) continue;
      if (!lane.head) {
        const batch = this.#options.intake.take(lane, now);
        if (batch) {
          lane.handOver(batch);
          this.#options.ledger.handedOver(batch);
          nextTurn = this.#turn + step + 1;
        } else if (lane.holds) {
          // Nothing else comes that could prove it stored: perhaps by now the broker takes it again.
          lane.unhold();
        } else {
          wakeAt = Math.min(wakeAt, this.#options.intake.readyAt(lane));
          continue;
        }
      }
      const lanes = requests.get(lane.leader);
      if (lanes) lanes.push(lane);
      else requests.set(lane.leader, [lane]);
    }
    if (rotation.length > 0) this.#turn = nextTurn % rotation.length;
    for (const [broker, lanes] of requests) this.#send(broker, lanes);
    this.#wake(wakeAt);
  }

  get #retry(): Required<RetryOptions> {
    const { retry } = this.#options;
    if (this.#hurried === 0) return retry;
    return {
      minMs: Math.min(retry.minMs, hurriedMaxMs),
      maxMs: Math.min(retry.maxMs, hurriedMaxMs),
    };
  }

  /** A lane with nothing on its way follows the newest producer id. False while it needs a new one that is not there. */
  #canStamp(lane: Lane, identity: Identity | null): boolean {
    if (lane.producerId === (identity?.producerId ?? null)) {
      if (lane.exhausted) this.#producerId.start();
      return !lane.exhausted;
    }
    if (lane.exhausted || lane.unanswered.length === 0) lane.adopt(identity);
    return true;
  }

  #send(broker: number, lanes: readonly Lane[]): void {
    const sent = lanes.flatMap((lane) => (lane.head ? [{ lane, batch: lane.head }] : []));
    const parts = sent.map(({ lane, batch }) => ({
      partition: lane.id,
      batch: batch.batch,
      stamp: batch.stamp,
    }));
    for (const { lane } of sent) lane.busy = true;
    this.#busyBrokers.add(broker);
    const answered = this.#options.driver.send(broker, parts).then((outcomes) => {
      this.#busyBrokers.delete(broker);
      if (this.#stopped) return undefined;
      // One back-off for all lanes of a request, so that those that failed go on sharing requests.
      const attempt = Math.max(...lanes.map((lane) => lane.attempt));
      if (attempt >= attemptsBeforeLookup) this.#topology.start();
      const retryAt = performance.now() + backOff(attempt, this.#retry);
      const questions = sent.map(({ lane, batch }, index) => {
        const outcome = outcomes[index];
        const asking = outcome && this.#resolver.resolve({ lane, batch, broker, retryAt }, outcome);
        if (!asking) this.#freed(lane);
        // A leader that is slow to answer a question holds up its own lane alone.
        return asking?.then(() => this.#freed(lane)).then(() => this.pump());
      });
      this.pump();
      return Promise.all(questions);
    });
    answered.catch((error: unknown) => this.#reportFault(error));
  }

  /** A fault of this package must not become one of the app: what it concerns stays where it is. */
  #reportFault(error: unknown): void {
    const { topic, diagnostics } = this.#options;
    const message = `A fault of diaspora-logger itself: ${error instanceof Error ? error.message : error}. What it concerns is reported at close; please report it with this line.`;
    this.#troubles.end(message);
    diagnostics.emit('INTERNAL_ERROR', message, { topic });
  }

  #freed(lane: Lane): void {
    lane.busy = false;
    if (!this.#stopped) this.#partitions.freed(lane);
  }

  #identify(given: { readonly producerId: bigint; readonly epoch: number } | null): null {
    const { topic, diagnostics, beginAt } = this.#options;
    this.#identity = given && { sequence: 0, ...given, ...beginAt };
    if (!given) {
      diagnostics.emit(
        'IDEMPOTENCE_DENIED',
        `The broker gives no producer id, so records for topic ${topic} are delivered at least once, and may repeat after a failure. Grant IDEMPOTENT_WRITE on the cluster (on AWS: kafka-cluster:WriteDataIdempotently), then start again.`,
        { topic },
      );
    }
    this.pump();
    return null;
  }

  #stopShipping(): void {
    const { topic, diagnostics } = this.#options;
    this.#fenced = true;
    this.#troubles.end('another process goes on under the same producer id');
    diagnostics.emit(
      'PRODUCER_FENCED',
      `Shipping to topic ${topic} has stopped: another process goes on under the same producer id. Start this process again.`,
      { topic },
    );
  }

  /** Pumps at a time (`performance.now()` milliseconds), or earlier. */
  #wake(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#timerAt <= at)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.pump();
      },
      Math.max(1, Math.ceil(at - performance.now())),
    );
    this.#timer.unref();
  }
}
