/** What a topic holds of one source: every record's number, and where numbers went back. */
import { type NumberRange, SequenceSet } from './sequence-set.ts';

export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

/** A record that comes behind a later one of its source in the same partition. */
export interface Reordered extends Position {
  readonly sequence: number;
  /** The highest number that the partition had before. */
  readonly after: number;
}

/** Where the reading of a partition begins. */
export interface PartitionStart {
  readonly partition: number;
  /** Whether there were records before, which retention has taken, or which are not read. */
  readonly isCut: boolean;
  /** What is not read is older than this, in milliseconds since the epoch; null where nobody knows. */
  readonly beforeTime: number | null;
}

export class Source {
  readonly id: string;
  /** Of repeated records, the numbers; the first so many. */
  readonly repeated: Set<number> = new Set();
  records = 0;
  repeatedCount = 0;
  /** By number; none of those that are repeated. */
  readonly #reordered = new Map<number, Reordered>();
  readonly #limit: number;
  readonly #numbers = new SequenceSet();
  /** By partition, of what was there when the audit began. */
  readonly #lowest = new Map<number, number>();
  /** By partition, of all that was read. */
  readonly #highest = new Map<number, number>();
  #earliest = Number.POSITIVE_INFINITY;

  /** Of each kind of fault, `limit` are kept with their places; all are counted. */
  constructor(id: string, limit: number) {
    this.id = id;
    this.#limit = limit;
  }

  /** How many different records there are. */
  get different(): number {
    return this.#numbers.size;
  }

  get first(): number {
    return this.#numbers.lowest;
  }

  get last(): number {
    return this.#numbers.highest;
  }

  get reorderedCount(): number {
    return this.#reordered.size;
  }

  /** The first so many. */
  get reordered(): Reordered[] {
    return [...this.#reordered.values()].slice(0, this.#limit);
  }

  add(sequence: number, position: Position, timestamp: number): void {
    this.records += 1;
    this.#earliest = Math.min(this.#earliest, timestamp);
    const { partition } = position;
    this.#lowest.set(partition, Math.min(this.#lowest.get(partition) ?? sequence, sequence));
    const after = this.#goOn(partition, sequence);
    if (!this.#numbers.add(sequence)) this.#repeat(sequence);
    else if (after !== null) this.#reordered.set(sequence, { sequence, ...position, after });
  }

  /** The highest number that the partition had before, where this one is not above it; null where it is. */
  #goOn(partition: number, sequence: number): number | null {
    const highest = this.#highest.get(partition) ?? -1;
    this.#highest.set(partition, Math.max(highest, sequence));
    return sequence > highest ? null : highest;
  }

  #repeat(sequence: number): void {
    this.repeatedCount += 1;
    if (this.repeated.size < this.#limit) this.repeated.add(sequence);
    // Which of the two came first depends on which partition was read first.
    this.#reordered.delete(sequence);
  }

  /**
   * For each record that came after the audit had begun, in its partition's order. One that was missing was on its way, and
   * is not lost: it counts as those before, which is answered. The others are not of this audit.
   */
  arrivedLater(sequence: number, position: Position): boolean {
    const after = this.#goOn(position.partition, sequence);
    if (sequence > this.last || !this.#numbers.add(sequence)) return false;
    this.records += 1;
    if (after !== null) this.#reordered.set(sequence, { sequence, ...position, after });
    return true;
  }

  /** Numbers that are nowhere: lost, or, below the first of these, perhaps where nothing was read. */
  gaps(starts: readonly PartitionStart[]): { lost: NumberRange[]; unread: NumberRange[] } {
    const judgedFrom = Math.max(0, ...starts.map((start) => this.#unreadBelow(start)));
    const lost: NumberRange[] = [];
    const unread: NumberRange[] = [];
    for (const { from, to } of this.#numbers.gaps()) {
      if (from < judgedFrom) unread.push({ from, to: Math.min(to, judgedFrom - 1) });
      if (to >= judgedFrom) lost.push({ from: Math.max(from, judgedFrom), to });
    }
    return { lost, unread };
  }

  /** In a partition numbers only rise: what was before its first record that was read has a lower one. */
  #unreadBelow({ partition, isCut, beforeTime }: PartitionStart): number {
    if (!isCut) return 0;
    const lowest = this.#lowest.get(partition);
    if (lowest !== undefined) return lowest;
    // A source numbers its records as time goes by: what is older than all that was read of it has a lower number.
    return beforeTime !== null && beforeTime <= this.#earliest
      ? this.first
      : Number.POSITIVE_INFINITY;
  }
}
