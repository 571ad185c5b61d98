/** One run of `ship`: what was read, what of it is delivered, and how long that may take. */
import type { Diagnostics } from '../../diagnostics.ts';
import type { ResolvedTransport } from '../../options.ts';
import { openShipper } from '../../produce/connect.ts';
import { RecordBuilder } from '../../transports/record-builder.ts';
import { Checkpoints } from './checkpoints.ts';
import { Copy } from './copy.ts';
import { LineShipper } from './line-shipper.ts';
import type { Progressed } from './progress.ts';
import { Room } from './room.ts';
import type { Summary } from './summary.ts';
import type { Tee } from './tee.ts';

export interface ShipmentOptions {
  readonly transport: ResolvedTransport;
  readonly diagnostics: Diagnostics;
  /** Where the input is passed on to; null for nowhere. */
  readonly tee: Tee | null;
  /** Whether inputs come side by side: only whole lines of them are passed on then. */
  readonly isFollowing: boolean;
  readonly arrivalTime: boolean;
  /**
   * How long brokers may make it wait, in milliseconds: for room while it reads, and for acknowledgements at the end of the
   * input. `Infinity` for as long as it takes.
   */
  readonly patienceMs: number;
  /** They have: nothing more is to be read when this returns. */
  readonly onImpatient: () => void;
  readonly say: (line: string) => void;
}

/** The end of reading, asked for by a signal. */
interface Stop {
  /** When it was (`performance.now()` milliseconds); null where it was not. */
  at: number | null;
  /** Aborted when closing has taken as long as it may. */
  readonly expired: AbortController;
}

export class Shipment {
  readonly #options: ShipmentOptions;
  readonly #shipper: ReturnType<typeof openShipper>;
  readonly #builder: RecordBuilder;
  readonly #checkpoints = new Checkpoints();
  readonly #startedAt = performance.now();
  readonly #stops = new Map<AbortSignal, Stop>();
  /** Of the input that was begun last; null where none was. */
  #stop: Stop | null = null;
  /** Whose input may still give lines, or that have some in hand. */
  readonly #reading = new Set<LineShipper>();
  #bytes = 0;
  #hasWarned = false;
  #isImpatient = false;

  constructor(options: ShipmentOptions) {
    const { transport, diagnostics } = options;
    this.#options = options;
    // Each input waits for room. What is in hand when time is up is more: it is to be counted and kept, never dropped.
    const bufferMaxBytes = Number.POSITIVE_INFINITY;
    this.#shipper = openShipper({ ...transport, bufferMaxBytes }, diagnostics);
    this.#builder = new RecordBuilder(transport);
  }

  /** Records that were read, and are not settled. */
  get waiting(): number {
    const { buffered, inFlight } = this.#shipper.stats();
    return buffered + inFlight;
  }

  /** What the brokers have. */
  get progressed(): Progressed {
    const { acknowledged, dropped, deadLettered } = this.#shipper.stats();
    const bytes = this.#checkpoints.bytesOf(acknowledged + dropped + deadLettered);
    return { bytes, records: acknowledged };
  }

  /** For one input, which is read until `stop` is aborted. */
  readonly linesOf = (stop: AbortSignal, canBeReadAgain: boolean): LineShipper => {
    const { bufferMaxBytes: maxBytes } = this.#options.transport;
    const shipper = this.#shipper;
    const { arrivalTime, patienceMs, tee, isFollowing } = this.#options;
    const onImpatient = (): void => {
      this.#isImpatient = true;
      this.#options.onImpatient();
    };
    this.#stop = this.#stopBy(stop);
    const expired = this.#stop.expired.signal;
    const room = new Room({ shipper, maxBytes, stop, expired, patienceMs, onImpatient });
    const lines = new LineShipper({
      shipper,
      builder: this.#builder,
      room,
      copy: tee && new Copy({ tee, hurry: stop, maxHeldBytes: isFollowing ? maxBytes : 0 }),
      maxBytes,
      arrivalTime,
      canBeReadAgain,
      onOld: (timestamp) => this.#warnOfAge(timestamp),
      onEnd: (ended) => void this.#reading.delete(ended),
    });
    this.#reading.add(lines);
    return lines;
  };

  /** Resolves when more may be read. */
  readonly take = async (chunk: Buffer, lines: LineShipper): Promise<void> => {
    this.#bytes += chunk.length;
    await lines.push(chunk);
    this.#checkpoints.note(this.#shipper.stats().written, this.#bytes);
    // Not only for who looks at a progress bar: what is behind is forgotten.
    void this.progressed;
  };

  /** Waits for all acknowledgements, and once `hurry` is aborted no longer than closing may take. */
  async deliver(hurry: AbortSignal): Promise<void> {
    const hurried = new Promise<void>((resolve) => {
      if (hurry.aborted) resolve();
      else hurry.addEventListener('abort', () => resolve(), { once: true });
    });
    const flushed = this.#shipper.flush({ timeoutMs: this.#options.patienceMs });
    await Promise.race([flushed, hurried]);
    // An input that came to its end by itself leaves all the time that closing may take.
    const since = this.#stop?.at ?? performance.now();
    const left = Math.max(0, since + this.#closeTimeoutMs - performance.now());
    await this.#shipper.close({ timeoutMs: hurry.aborted ? left : 0 });
  }

  /** Says at once what is not delivered, and keeps it where it may. */
  giveUp(): void {
    for (const lines of this.#reading) lines.giveUp();
    this.#shipper.giveUp();
  }

  summary(unread: readonly string[], signal: string | null): Summary {
    const { topic, sourceHeaders } = this.#options.transport;
    const stats = this.#shipper.stats();
    const { acknowledged, possiblyRepeated, deadLettered, dropped } = stats;
    return {
      topic,
      records: stats.written,
      bytes: this.#bytes,
      acknowledged,
      possiblyRepeated,
      deadLettered,
      dropped,
      unresolved: stats.unresolved + this.waiting,
      seconds: Math.round(performance.now() - this.#startedAt) / 1_000,
      sourceId: sourceHeaders ? this.#shipper.sourceId : null,
      unread,
      signal,
    };
  }

  /** Who has waited long enough waits no longer. */
  get #closeTimeoutMs(): number {
    return this.#isImpatient ? 0 : this.#options.transport.closeTimeoutMs;
  }

  #warnOfAge(timestamp: number): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { transport, say } = this.#options;
    say(
      `diaspora-logger: there are lines of ${new Date(timestamp).toISOString()}. Brokers delete records that are older than the topic's retention.ms (7 days unless ${transport.topic} has another): --arrival-time gives them the present time instead.`,
    );
  }

  #stopBy(signal: AbortSignal): Stop {
    const known = this.#stops.get(signal);
    if (known) return known;
    const stop: Stop = { at: null, expired: new AbortController() };
    this.#stops.set(signal, stop);
    const onAbort = (): void => {
      stop.at = performance.now();
      if (this.#isImpatient) stop.expired.abort();
      else setTimeout(() => stop.expired.abort(), this.#closeTimeoutMs).unref();
    };
    // A followed file may come to be at the last moment.
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return stop;
  }
}
