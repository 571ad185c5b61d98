/** What follows from the outcome of one batch: settle it, send it again, split it, or ask its leader. */
import type { Diagnostics } from '../diagnostics.ts';
import type { RetryOptions } from '../options.ts';
import type { Driver, Failure, Outcome } from './driver.ts';
import type { Intake } from './intake.ts';
import type { Lane } from './lane.ts';
import type { Ledger } from './ledger.ts';
import type { QueuedBatch } from './queued-batch.ts';
import { judge, type Verdict } from './stamps.ts';
import type { Troubles } from './troubles.ts';

/** A broker that finds a time too far ahead is offered it so many hours earlier at the most. */
const maxClockShifts = 48;

/** A broker refuses times more than an hour ahead of its clock (`message.timestamp.after.max.ms`). */
const clockShiftMs = 3_600_000;

/** A refused time this long ago is refused for its age, and an earlier one would be too, in milliseconds. */
const oldMs = 24 * 3_600_000;

type Refusal = 'RECORD_TOO_LARGE' | 'RECORD_INVALID';

/** What is to be resolved: `batch` is the head of `lane`, and was sent to `broker`. */
interface Case {
  readonly lane: Lane;
  readonly batch: QueuedBatch;
  readonly broker: number;
  /** No attempt before this (`performance.now()` milliseconds). */
  readonly retryAt: number;
}

export interface ResolverOptions {
  readonly topic: string;
  readonly driver: Driver;
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly troubles: Troubles;
  readonly diagnostics: Diagnostics;
  readonly retry: Required<RetryOptions>;
  readonly onFenced: () => void;
  readonly onStaleTopology: () => void;
  /** True once nothing may be settled any more. */
  readonly stopped: () => boolean;
}

export class Resolver {
  readonly #options: ResolverOptions;
  /** Size of the batch that was refused as too large and of which parts are still under way, in bytes. */
  readonly #splitBytes = new Map<Lane, number>();
  #splitTold = false;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Settles a batch, or prepares its next attempt. Answers a promise only where the leader has to be asked first. */
  resolve(at: Case, outcome: Outcome): Promise<void> | null {
    const { lane, batch } = at;
    switch (outcome.kind) {
      case 'acknowledged':
        this.#acknowledged(lane, batch, outcome.baseOffset, outcome.logAppendTime);
        return null;
      case 'tooLarge':
        if (batch.count > 1) {
          this.#options.intake.learnLimit(batch.bytes);
          if (!this.#splitBytes.has(lane)) this.#splitBytes.set(lane, batch.bytes);
        }
        return this.#refused(at, outcome, 'RECORD_TOO_LARGE');
      case 'invalid':
        return this.#refused(at, outcome, 'RECORD_INVALID');
      case 'clock':
        return this.#refusedForTime(at, outcome);
      case 'sequenceLost':
        return this.#askAboutLostSequence(at, outcome);
      case 'fenced':
        this.#options.onFenced();
        return null;
      case 'unknown':
        batch.uncertain = true;
        if (!batch.stamp) this.#mayRepeat(lane, batch);
        break;
      default:
    }
    this.#tryAgain(at, outcome);
    return null;
  }

  #acknowledged(
    lane: Lane,
    batch: QueuedBatch,
    baseOffset: bigint | null,
    logAppendTime: number | null,
  ): void {
    const { ledger, intake, troubles } = this.#options;
    intake.unlearnLimit(batch.bytes);
    for (const held of lane.acknowledge(batch)) ledger.acknowledged(held, lane.id, null, null);
    ledger.acknowledged(batch, lane.id, baseOffset, logAppendTime);
    this.#tellOfSplit(lane);
    troubles.delivered(batch.openedAt);
  }

  #report(lane: Lane, failure: Failure): void {
    this.#options.troubles.report(failure, lane.attempt, lane.id);
  }

  #tryAgain({ lane, broker, retryAt }: Case, failure: Failure): void {
    const { staleTopology = false } = failure;
    this.#report(lane, failure);
    this.#options.ledger.counters.retries += 1;
    lane.failed(broker, retryAt, staleTopology);
    if (staleTopology) this.#options.onStaleTopology();
  }

  /** The broker takes the batch neither now nor later: size and content are checked before repeats. */
  #refused(at: Case, failure: Failure, code: Refusal): Promise<void> | null {
    const { batch } = at;
    if (batch.uncertain && batch.stamp) return this.#askAboutRefused(at, failure, code);
    this.#setAside(at, failure, code);
    return null;
  }

  /** Of records at fault that the broker names, it is rid at once; else halves find them. */
  #setAside({ lane, batch }: Case, failure: Failure, code: Refusal): void {
    const { driver, ledger } = this.#options;
    const named = namedIn(failure, batch);
    if (batch.count === 1 || named.size >= batch.count) {
      this.#splitBytes.delete(lane);
      ledger.undeliverable(batch, lane.id, code, this.#reason(batch, code, failure));
      lane.remove(batch);
      this.#restamp(lane);
      return;
    }
    const before = batch.bytes;
    const middle = batch.count >> 1;
    const [first, second] = batch.divide(driver, (index) =>
      named.size > 0 ? named.has(index) : index < middle,
    );
    ledger.resized(before, first, second);
    if (named.size === 0) {
      lane.split(batch, [first, second]);
      return;
    }
    // The others are fewer than the stamp was for.
    lane.split(batch, [second]);
    ledger.undeliverable(first, lane.id, code, failure.message);
    this.#restamp(lane);
  }

  /** Once: that it is so is worth knowing, and nothing is lost by it. Where a record alone was too large, that is said instead. */
  #tellOfSplit(lane: Lane): void {
    const bytes = this.#splitBytes.get(lane);
    if (bytes === undefined || lane.head !== null) return;
    this.#splitBytes.delete(lane);
    if (this.#splitTold) return;
    this.#splitTold = true;
    const { topic, diagnostics } = this.#options;
    diagnostics.emit(
      'BATCH_TOO_LARGE',
      `Topic ${topic} takes no batch of ${bytes} bytes of records: such batches are split, and nothing is lost. To spare the brokers that work, lower batchMaxBytes, or raise the topic's max.message.bytes.`,
      { topic, partition: lane.id, bytes },
    );
  }

  #reason(batch: QueuedBatch, code: Refusal, { message }: Failure): string {
    if (code !== 'RECORD_TOO_LARGE') return message;
    return `A record of ${batch.bytes} bytes is larger than topic ${this.#options.topic} takes: raise its max.message.bytes, or log less in one record.`;
  }

  /**
   * A broker that finds times too far ahead gets the same records under the same stamp again, those
   * times an hour earlier; one that finds them too old gets them no more.
   */
  #refusedForTime(at: Case, failure: Failure): Promise<void> | null {
    const { lane, batch } = at;
    const { driver, ledger } = this.#options;
    const named = namedIn(failure, batch);
    const isNamed = (index: number): boolean => named.size === 0 || named.has(index);
    const old = Date.now() - oldMs;
    const tooOld = batch
      .records()
      .some((record, index) => isNamed(index) && record.timestamp < old);
    if (tooOld || batch.clockShifts >= maxClockShifts) {
      return this.#refused(at, failure, 'RECORD_INVALID');
    }
    const message = `${failure.message} Until then records are stored with times that are hours earlier.`;
    this.#report(lane, { ...failure, message });
    ledger.counters.retries += 1;
    const before = batch.bytes;
    const again = batch.retimed(driver, ({ timestamp }, index) =>
      isNamed(index) ? timestamp - clockShiftMs : timestamp,
    );
    again.clockShifts += 1;
    ledger.resized(before, again);
    lane.replace(batch, again);
    return null;
  }

  #restamp(lane: Lane): void {
    for (const unproven of lane.restamp()) this.#mayRepeat(lane, unproven);
  }

  /** The broker calls the batch's sequence out of order: its leader is asked what it knows. */
  async #askAboutLostSequence(at: Case, failure: Failure): Promise<void> {
    const { lane, batch } = at;
    const verdict = await this.#verdict(at);
    if (this.#options.stopped()) return;
    switch (verdict) {
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
    this.#tryAgain(at, failure);
  }

  /** A batch that is refused now may have been stored by an attempt without an answer. */
  async #askAboutRefused(at: Case, failure: Failure, code: Refusal): Promise<void> {
    const { lane, batch } = at;
    const verdict = await this.#verdict(at);
    if (this.#options.stopped()) return;
    switch (verdict) {
      case 'fenced':
        this.#options.onFenced();
        return;
      case 'stored':
        lane.hold(batch);
        lane.retryAt = at.retryAt;
        return;
      case undefined:
        this.#tryAgain(at, failure);
        return;
      case 'restamp':
        // Not stored for certain: its next refusal, under the new stamp, needs no question.
        batch.uncertain = false;
        this.#restamp(lane);
        this.#tryAgain(at, failure);
        return;
      case 'forgotten':
        this.#mayRepeat(lane, batch);
        break;
      case 'send-again':
        batch.uncertain = false;
        break;
      default:
      // Nobody may ask: parts of a batch that was stored are out of order, and judged then.
    }
    this.#setAside(at, failure, code);
  }

  /** Undefined where the leader did not answer. */
  async #verdict({ lane, batch, broker }: Case): Promise<Verdict | undefined> {
    if (!batch.stamp) return 'send-again';
    const { driver } = this.#options;
    const answer = await driver.lastStamp(broker, lane.id, batch.stamp.producerId);
    if (!answer.ok) {
      this.#report(lane, answer);
      if (answer.staleTopology) this.#options.onStaleTopology();
      return undefined;
    }
    const { permitted, known } = answer.value;
    return judge(batch.stamp, batch.count, permitted ? known : undefined, lane.acknowledged);
  }

  /** Says it once a batch; the records are counted when they are acknowledged. */
  #mayRepeat(lane: Lane, batch: QueuedBatch): void {
    if (batch.possiblyRepeated) return;
    const { topic, diagnostics } = this.#options;
    batch.possiblyRepeated = true;
    diagnostics.emit(
      'POSSIBLY_REPEATED',
      `Records for partition ${lane.id} of topic ${topic} sent again without proof that they were not stored: ${batch.count}. They may be there twice. The headers source-id and source-seq (sourceHeaders: true) tell repeats apart.`,
      { topic, partition: lane.id, records: batch.count },
    );
  }
}

/** Places of the records at fault; none where the broker names none that the batch has. */
function namedIn({ recordIndexes = [] }: Failure, { count }: QueuedBatch): ReadonlySet<number> {
  return new Set(recordIndexes.filter((index) => index >= 0 && index < count));
}
