/** Where a consumer is in each partition that is its own. */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** `offset` is that of the next record, as Kafka's committed offsets are. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
}

/** Where to go on: an offset, or one end of the partition. */
export type SeekTarget = bigint | 'earliest' | 'latest';

/** A partition of which nothing is read before its place is found; null stands for where it was left. */
export interface Unplaced extends TopicPartition {
  readonly target: SeekTarget | null;
  /** A broker has said that the log does not hold this offset: where that is so, its end that `autoOffsetReset` names is the target. */
  readonly refused?: bigint;
}

export interface Ends {
  readonly earliest: bigint;
  /** Offset of the next record that is written. */
  readonly latest: bigint;
}

/** What the brokers answer about an unplaced partition. */
export interface Found {
  /** What the group has committed. */
  readonly committed: bigint | null;
  /** The end of the log that is the target, or that `autoOffsetReset` names; null where that was not asked. */
  readonly end: bigint | null;
  /** Both, once they were asked. */
  readonly ends?: Ends;
}

/** How far the iteration has gone past the records of one log. */
export class Past {
  #next: bigint;

  constructor(start: bigint) {
    this.#next = start;
  }

  /** Behind the last record that it has gone past: what may be committed. */
  get next(): bigint {
    return this.#next;
  }

  /** Only forward: an explicit commit may be ahead. */
  goTo(next: bigint): void {
    if (next > this.#next) this.#next = next;
  }
}

/** One way through a partition, until a seek or another member begins a new one. Offsets are those of the next record. */
export class Progress {
  #given: bigint;
  #past: Past;

  constructor(start: bigint) {
    this.#given = start;
    this.#past = new Past(start);
  }

  /** Behind the last record that the iteration was given, the one in hand included. */
  get given(): bigint {
    return this.#given;
  }

  get past(): Past {
    return this.#past;
  }

  /** Answers what moves once the iteration has gone past the record. */
  give(offset: bigint): Past {
    // Nothing is given twice on one way: the log itself has begun anew, and what is done of the old one counts no more.
    if (offset < this.#given) this.#past = new Past(offset);
    this.#given = offset + 1n;
    return this.#past;
  }
}

interface Entry {
  readonly partition: TopicPartition;
  progress: Progress | null;
  /** What is committed, as far as this consumer knows: null is that nothing is. */
  committed: bigint | null | 'unknown';
  /** Null once the place is found. */
  unplaced: Unplaced | null;
}

export class Positions {
  #entries = new Map<string, Entry>();
  /** Sought while they were another member's, or became so before the place was found. */
  readonly #sought = new Map<string, SeekTarget>();

  /** Takes what the group has given out. Nothing has its place until `place`, what was kept included. */
  assign(partitions: readonly TopicPartition[]): void {
    const before = this.#entries;
    this.#entries = new Map();
    for (const partition of partitions) {
      const key = keyOf(partition);
      const { progress, committed, unplaced } = before.get(key) ?? none;
      const target = this.#sought.get(key) ?? unplaced?.target ?? null;
      this.#sought.delete(key);
      this.#entries.set(key, {
        partition,
        progress,
        committed,
        unplaced: { ...partition, target },
      });
      before.delete(key);
    }
    for (const [key, { unplaced }] of before) {
      const target = unplaced?.target ?? null;
      if (target !== null) this.#sought.set(key, target);
    }
  }

  /**
   * The group shares its partitions anew, or the membership has ended: nothing is read before the next assignment has
   * its places. What was being placed is overtaken.
   */
  suspend(): void {
    for (const entry of this.#entries.values()) {
      entry.unplaced = { ...entry.partition, target: entry.unplaced?.target ?? null };
    }
  }

  /** Answers what has to be placed, or null where the partition is another member's: then it is kept in mind. */
  seek({ topic, partition }: TopicPartition, target: SeekTarget): Unplaced | null {
    const key = keyOf({ topic, partition });
    const entry = this.#entries.get(key);
    if (!entry) {
      this.#sought.set(key, target);
      return null;
    }
    // What others have committed was about to be told: what was known before must not make this seem outdated.
    if (entry.unplaced) entry.committed = 'unknown';
    entry.progress = null;
    entry.unplaced = { topic, partition, target };
    return entry.unplaced;
  }

  /** The log does not hold the place, a broker says. Answers what has to be placed, or null where that goes on already. */
  refuse({ topic, partition }: TopicPartition): Unplaced | null {
    const entry = this.#entries.get(keyOf({ topic, partition }));
    if (!entry?.progress || entry.unplaced) return null;
    entry.unplaced = { topic, partition, target: null, refused: entry.progress.given };
    return entry.unplaced;
  }

  unplaced(): Unplaced[] {
    return [...this.#entries.values()].flatMap(({ unplaced }) => unplaced ?? []);
  }

  /** False once it is placed, or a later seek or assignment has overtaken it. */
  isUnplaced(unplaced: Unplaced): boolean {
    return this.#entries.get(keyOf(unplaced))?.unplaced === unplaced;
  }

  /** Answers the offset to go on at, or null where it was overtaken, or where not enough is found. */
  place(unplaced: Unplaced, found: Found | null): bigint | null {
    const entry = this.#entries.get(keyOf(unplaced));
    if (entry?.unplaced !== unplaced) return null;
    const progress = placed(entry, unplaced, found);
    if (!progress) return null;
    if (found) entry.committed = found.committed;
    entry.progress = progress;
    entry.unplaced = null;
    return progress.given;
  }

  /** Null while nothing of the partition may be read. */
  current(partition: TopicPartition): Progress | null {
    const entry = this.#entries.get(keyOf(partition));
    return entry && !entry.unplaced ? entry.progress : null;
  }

  owns(partition: TopicPartition): boolean {
    return this.#entries.has(keyOf(partition));
  }

  assigned(): TopicPartition[] {
    return [...this.#entries.values()].map(({ partition }) => partition);
  }

  /** Behind everything that was given. */
  given(): Position[] {
    return [...this.#entries.values()].flatMap(({ partition, progress }) =>
      progress ? { ...partition, offset: progress.given } : [],
    );
  }

  /** Behind what the iteration has gone past. */
  past(): Position[] {
    return [...this.#entries.values()].flatMap(({ partition, progress }) =>
      progress ? { ...partition, offset: progress.past.next } : [],
    );
  }

  /** The same, where that is not committed. */
  uncommitted(): Position[] {
    return this.past().filter(
      (position) => this.#entries.get(keyOf(position))?.committed !== position.offset,
    );
  }

  /** A commit of these sets out: the answer is to be called when it has succeeded. */
  committing(positions: readonly Position[]): () => void {
    const pasts = positions.map((position) => this.#entries.get(keyOf(position))?.progress?.past);
    return () => {
      for (const [i, position] of positions.entries()) {
        const entry = this.#entries.get(keyOf(position));
        if (entry) entry.committed = position.offset;
        // After a seek in the meantime, or a log that began anew, this is nobody's: what went back stays back.
        pasts[i]?.goTo(position.offset);
      }
    };
  }
}

const none = { progress: null, committed: 'unknown', unplaced: null } as const;

function placed(
  { progress, committed: known }: Entry,
  { target, refused }: Unplaced,
  found: Found | null,
): Progress | null {
  if (typeof target === 'bigint') return new Progress(target);
  if (!found) return null;
  const { committed, end, ends } = found;
  if (refused !== undefined) {
    if (end === null || !ends) return null;
    // A fetch that was under way at a seek may be what was refused.
    return ends.earliest <= refused && refused <= ends.latest ? progress : new Progress(end);
  }
  if (target === null && progress && !isAhead(committed, known, progress)) return progress;
  const start = target === null ? (committed ?? end) : end;
  return start === null ? null : new Progress(start);
}

/** Whether another member has read on, while this one was out of the group. */
function isAhead(
  committed: bigint | null,
  known: bigint | null | 'unknown',
  { given }: Progress,
): boolean {
  return known !== 'unknown' && committed !== null && committed !== known && committed > given;
}

/** A topic's name holds no colon. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
