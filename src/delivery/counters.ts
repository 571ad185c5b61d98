/** Where every record is: the sums always balance. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/**
 * Counters since start, in records. At every moment
 * `written = acknowledged + dropped + filtered + deadLettered + unresolved + buffered + inFlight`.
 */
export interface Stats {
  readonly written: number;
  readonly acknowledged: number;
  readonly dropped: number;
  /** Of those dropped, by Pino's level number; `unknown` where there is none. */
  readonly droppedByLevel: Readonly<Record<string, number>>;
  readonly filtered: number;
  readonly deadLettered: number;
  /** Not settled when close's time was up. */
  readonly unresolved: number;
  readonly buffered: number;
  readonly inFlight: number;
  /** Of those acknowledged, how many may be in the topic twice. */
  readonly possiblyRepeated: number;
  /** Attempts that had to be made again. */
  readonly retries: number;
  /** Bytes kept, in flight included. */
  readonly bufferedBytes: number;
  /** From a batch's first record to its acknowledgement, in milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export class Counters {
  written = 0;
  acknowledged = 0;
  dropped = 0;
  filtered = 0;
  deadLettered = 0;
  unresolved = 0;
  buffered = 0;
  inFlight = 0;
  possiblyRepeated = 0;
  retries = 0;
  bufferedBytes = 0;
  readonly #droppedByLevel = new Map<string, number>();
  readonly #latency: RecordableHistogram = createHistogram();

  /** Counts records given up, by level. */
  drop(levels: ReadonlyMap<number | null, number>): void {
    for (const [level, count] of levels) {
      const name = String(level ?? 'unknown');
      this.dropped += count;
      this.#droppedByLevel.set(name, (this.#droppedByLevel.get(name) ?? 0) + count);
    }
  }

  latency(milliseconds: number): void {
    this.#latency.record(Math.max(1, Math.round(milliseconds)));
  }

  stats(): Stats {
    const histogram = this.#latency;
    const some = histogram.count > 0;
    return {
      written: this.written,
      acknowledged: this.acknowledged,
      dropped: this.dropped,
      droppedByLevel: Object.fromEntries(this.#droppedByLevel),
      filtered: this.filtered,
      deadLettered: this.deadLettered,
      unresolved: this.unresolved,
      buffered: this.buffered,
      inFlight: this.inFlight,
      possiblyRepeated: this.possiblyRepeated,
      retries: this.retries,
      bufferedBytes: this.bufferedBytes,
      latencyMs: {
        p50: some ? histogram.percentile(50) : 0,
        p99: some ? histogram.percentile(99) : 0,
        max: some ? histogram.max : 0,
      },
    };
  }
}
