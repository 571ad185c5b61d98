/** What keeps records from the topic: remembered for whoever asks why, said where it is news, and its end said, too. */
import type { Diagnostics } from '../diagnostics.ts';
import type { Counters } from './counters.ts';
import type { Failure } from './driver.ts';
import type { Lanes } from './lanes.ts';

/** An election, a coordinator that loads, a topic just made: they take some attempts, and nobody needs to read of it. */
const passingAttempts = 3;
const passing: ReadonlySet<Failure['code']> = new Set([
  'BROKER_ERROR',
  'BROKER_THROTTLED',
  'TOPIC_UNKNOWN',
]);

/** Stands where a failure would be named: what failed before an acknowledgement is no reason for what is left after it. */
const noFailure = 'no failure since the last acknowledgement, but no answer in time';

export interface TroublesOptions {
  readonly topic: string;
  readonly lanes: Lanes;
  readonly counters: Counters;
  readonly diagnostics: Diagnostics;
}

export class Troubles {
  readonly #options: TroublesOptions;
  #reason = 'no broker has answered yet';
  #lasting: string | null = null;
  /** Since when the oldest record has waited for what fails (`performance.now()` milliseconds); null where all is well. */
  #waitingSince: number | null = null;
  /** What `diagnostics.troubles` was when all was well. */
  #seen = 0;
  /** Since when records have named a partition that is missing (`performance.now()` milliseconds). */
  #missingSince = 0;

  constructor(options: TroublesOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed, for whoever has to say why records are left. */
  get reason(): string {
    return this.#reason;
  }

  /** Why nothing that waits will ever be sent, whatever is acknowledged since; null where it may be. */
  get lasting(): string | null {
    return this.#lasting;
  }

  /** Nothing is sent any more. */
  end(reason: string): void {
    this.#lasting = reason;
  }

  /**
   * Remembers a failure, and says it, unless that was done where it was found or it is one of those that
   * pass by themselves and has not lasted for some attempts.
   */
  report({ code, message }: Failure, attempt: number, partition: number | null = null): void {
    const { topic, diagnostics } = this.#options;
    this.waitsFor(message);
    if (code === null || (passing.has(code) && attempt < passingAttempts)) return;
    diagnostics.emit(code, message, { topic, partition });
  }

  /** Remembers why records wait, where whoever found it says it. */
  waitsFor(message: string): void {
    this.#reason = message;
    this.#waitingSince ??= performance.now();
  }

  /** Some records name a partition that is missing: others are delivered, and the end of their troubles is news all the same. */
  missing(message: string): void {
    const { topic, diagnostics } = this.#options;
    this.#missingSince = performance.now();
    diagnostics.emit('TOPIC_UNKNOWN', message, { topic });
    this.#seen += 1;
  }

  /** What was missing is there: the next acknowledgement is news. */
  found(): void {
    this.#waitingSince = Math.min(this.#waitingSince ?? this.#missingSince, this.#missingSince);
    this.#seen = -1;
  }

  /** A batch is acknowledged that was begun then (`performance.now()` milliseconds). Says the end of what was said, when no lane fails any more. */
  delivered(openedAt: number): void {
    const { topic, diagnostics, lanes, counters } = this.#options;
    if (this.#waitingSince === null) {
      this.#reason = noFailure;
      this.#seen = diagnostics.troubles;
      return;
    }
    const since = Math.min(this.#waitingSince, openedAt);
    this.#waitingSince = since;
    for (const { attempt, leader, empty, hasPartition } of lanes) {
      // A partition that is missing may never come, and hides no news of the others.
      if (attempt > 0 || (hasPartition && leader === null && !empty)) return;
    }
    this.#waitingSince = null;
    this.#reason = noFailure;
    if (diagnostics.troubles === this.#seen) return;
    this.#seen = diagnostics.troubles;
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    const waiting = counters.buffered + counters.inFlight;
    diagnostics.emit(
      'DELIVERY_RESUMED',
      `Records reach topic ${topic} again; the oldest had waited for ${seconds} s. Still waiting: ${waiting}.`,
      { topic, seconds, waiting },
    );
  }
}
