/** What follows from the outcome of one batch: settle it, send it again, split it, or ask its leader. */
import type { Diagnostics } from '../diagnostics.ts';
import type { RetryOptions } from '../options.ts';
import type { Driver, Failure, Outcome } from './driver.ts';
import type { Intake } from './intake.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { QueuedBatch } from './queued-batch.ts';
import { judge, type Verdict } from './stamps.ts';

/** A broker that finds a time too far ahead is offered it so many hours earlier at the most. */
const maxClockShifts = 48;

/** An election or a coordinator that loads takes this many attempts: nobody needs to read of it. */
const passingAttempts = 3;

export interface ResolverOptions {
  readonly topic: string;
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly diagnostics: Diagnostics;
  readonly retry: Required<RetryOptions>;
  readonly onFenced: () => void;
  readonly onStaleTopology: () => void;
}

export class Resolver {
  /** Why the last attempt failed, for whoever has to say why records are left. */
  lastFailure = 'the first connection was not made yet';
  readonly #options: ResolverOptions;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Settles `batch`, the head of `lane`, or prepares its next attempt, not before `retryAt`. */
  async resolve(
    lane: Lane,
    batch: QueuedBatch,
    broker: number,
    outcome: Outcome,
    retryAt: number,
  ): Promise<void> {
    switch (outcome.kind) {
      case 'acknowledged':
        this.#acknowledged(lane, batch, outcome.baseOffset, outcome.logAppendTime);
        return;
      case 'tooLarge':
        this.#options.intake.learnLimit(batch.bytes);
        if (!batch.uncertain || !batch.stamp) this.#halve(lane, batch, 'RECORD_TOO_LARGE', outcome);
        else await this.#askAboutTooLarge(lane, batch, broker, outcome, retryAt);
        return;
      case 'invalid':
        this.#halve(lane, batch, 'RECORD_INVALID', outcome);
        return;
      case 'clock':
        this.report(lane, outcome, lane.attempt);
        if (batch.moveBackAnHour() > maxClockShifts) {
          this.#halve(lane, batch, 'RECORD_INVALID', outcome);
        }
        return;
      case 'sequenceLost':
        await this.#askAboutLostSequence(lane, batch, broker, outcome, retryAt);
        return;
      case 'fenced':
        this.#options.onFenced();
        return;
      case 'unknown':
        batch.uncertain = true;
        if (!batch.stamp) this.#mayRepeat(lane, batch);
        break;
      default:
    }
    this.#tryAgain(lane, outcome, retryAt);
  }

  /**
   * Remembers a failure, and says it, unless that was done where it was found or it is one of those that
   * pass by themselves and has not lasted for some attempts.
   */
  report(lane: Lane | null, { code, message }: Failure, attempt: number): void {
    const { topic, diagnostics } = this.#options;
    this.lastFailure = message;
    if (code === 'BROKER_ERROR' && attempt < passingAttempts) return;
    if (code !== null) diagnostics.emit(code, message, { topic, partition: lane?.id ?? null });
  }

  #acknowledged(
    lane: Lane,
    batch: QueuedBatch,
    baseOffset: bigint,
    logAppendTime: number | null,
  ): void {
    const { ledger } = this.#options;
    for (const held of lane.acknowledgeHead()) ledger.acknowledged(held, lane.id, null, null);
    ledger.acknowledged(batch, lane.id, baseOffset, logAppendTime);
  }

  #tryAgain(lane: Lane, failure: Failure, retryAt: number): void {
    this.report(lane, failure, lane.attempt);
    this.#options.ledger.counters.retries += 1;
    lane.attempt += 1;
    lane.retryAt = retryAt;
    if (failure.staleTopology) this.#options.onStaleTopology();
  }

  /** Halves find the record at fault; one that stands alone is given up. */
  #halve(
    lane: Lane,
    batch: QueuedBatch,
    code: 'RECORD_TOO_LARGE' | 'RECORD_INVALID',
    { message }: Failure,
  ): void {
    const { driver, ledger } = this.#options;
    if (batch.count === 1) {
      ledger.undeliverable(batch, lane.id, code, message);
      lane.removeHead();
      this.#restamp(lane);
      return;
    }
    const before = batch.bytes;
    const middle = batch.count >> 1;
    const [first, second] = batch.divide(driver, (_, index) => index < middle);
    ledger.resized(before, first, second);
    lane.split(first, second);
  }

  #restamp(lane: Lane): void {
    for (const unproven of lane.restamp()) this.#mayRepeat(lane, unproven);
  }

  /** The broker calls the batch's sequence out of order: its leader is asked what it knows. */
  async #askAboutLostSequence(
    lane: Lane,
    batch: QueuedBatch,
    broker: number,
    failure: Failure,
    retryAt: number,
  ): Promise<void> {
    switch (await this.#verdict(lane, batch, broker)) {
      case 'fenced':
        this.#options.onFenced();
        return;
      case 'restamp':
        this.#restamp(lane);
        break;
      case 'restamp-doubtful':
        this.#mayRepeat(lane, batch);
        this.#restamp(lane);
        break;
      case 'forgotten':
        this.#mayRepeat(lane, batch);
        break;
      default:
      // Stored, or next, or no answer: the same stamp again settles it.
    }
    this.#tryAgain(lane, failure, retryAt);
  }

  /** Size is checked before repeats: a batch that is too large now may have been stored by an attempt without an answer. */
  async #askAboutTooLarge(
    lane: Lane,
    batch: QueuedBatch,
    broker: number,
    failure: Failure,
    retryAt: number,
  ): Promise<void> {
    switch (await this.#verdict(lane, batch, broker)) {
      case 'fenced':
        this.#options.onFenced();
        return;
      case 'stored':
        lane.hold();
        return;
      case undefined:
        this.#tryAgain(lane, failure, retryAt);
        return;
      case 'restamp':
        this.#restamp(lane);
        break;
      case 'forgotten':
        this.#mayRepeat(lane, batch);
        break;
      default:
      // Not stored, or not told: halves of a batch that was stored are out of order, and judged then.
    }
    batch.uncertain = false;
    this.#halve(lane, batch, 'RECORD_TOO_LARGE', failure);
  }

  /** Undefined where the leader did not answer. */
  async #verdict(lane: Lane, batch: QueuedBatch, broker: number): Promise<Verdict | undefined> {
    if (!batch.stamp) return 'send-again';
    const { driver } = this.#options;
    const answer = await driver.lastStamp(broker, lane.id, batch.stamp.producerId);
    if (!answer.ok) {
      this.report(lane, answer, lane.attempt);
      return undefined;
    }
    const { permitted, known } = answer.value;
    return judge(batch.stamp, batch.count, permitted ? known : undefined, lane.acknowledged);
  }

  #mayRepeat(lane: Lane, batch: QueuedBatch): void {
    const { topic, ledger, diagnostics } = this.#options;
    ledger.counters.possiblyRepeated += batch.count;
    diagnostics.emit(
      'POSSIBLY_REPEATED',
      `Records for partition ${lane.id} of topic ${topic} sent again without proof that they were not stored: ${batch.count}. They may be there twice. The headers source-id and source-seq (sourceHeaders: true) tell repeats apart.`,
      { topic, partition: lane.id, records: batch.count },
    );
  }
}
