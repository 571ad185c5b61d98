/** Goes through a topic's records: what is lost, repeated and reordered, and where. */
import type { ConsumedRecord } from '../../consume/consumed-record.ts';
import type { NumberRange } from './sequence-set.ts';
import { type PartitionStart, type Position, type Reordered, Source } from './source.ts';

/** Headers that `sourceHeaders` and `--source-headers` add. */
const sourceIdHeader = 'source-id';
const sequenceHeader = 'source-seq';

/** So many places of a repeated record are told. */
const mostPlaces = 10;

/** Where a partition was read from, and up to where. */
export interface ReadRange {
  readonly partition: number;
  /** Where its log began. */
  readonly low: bigint;
  readonly start: bigint;
  readonly end: bigint;
}

/** A way through the topic. */
export interface Reading {
  readonly partitions: readonly ReadRange[];
  records(): AsyncIterable<ConsumedRecord>;
  /** Once they were read: false where some of what was there at the start was deleted before. */
  isWhole(): boolean;
}

export interface LostRange extends NumberRange {
  /** The nearest records of the source on both sides; null where there is none, or it is gone by now. */
  readonly behind: Position | null;
  readonly before: Position | null;
}

export interface RepeatedRecord {
  readonly sequence: number;
  readonly places: readonly Position[];
}

/** Of lists, the first so many; counts are complete. */
export interface SourceReport {
  readonly sourceId: string;
  /** Repeated ones included. */
  readonly records: number;
  readonly different: number;
  readonly first: number;
  readonly last: number;
  readonly lostCount: number;
  readonly lost: readonly LostRange[];
  /** Numbers that may lie before where the reading began: nobody can tell. */
  readonly unreadCount: number;
  /** Those of them that lie between numbers that are there: they may as well be lost. */
  readonly openCount: number;
  readonly repeatedCount: number;
  readonly repeated: readonly RepeatedRecord[];
  /** Within a partition. */
  readonly reorderedCount: number;
  readonly reordered: readonly Reordered[];
}

export interface Audit {
  readonly partitions: number;
  readonly records: number;
  /** Without the two headers. */
  readonly unnumbered: number;
  readonly sources: readonly SourceReport[];
}

export interface AuditOptions {
  /** So many of each kind of fault are listed. */
  readonly limit: number;
  /** Older records are not read, in milliseconds since the epoch; null where all are. */
  readonly since: number | null;
}

/**
 * Memory goes with sources and what is wrong with them; records take a bit each, and none where all around them is there.
 * Where something is wrong, the topic is read once more: for the places, and for what was still on its way. Where retention
 * has overtaken the reading, it begins anew: what it would not find is not lost.
 */
export async function auditTopic(
  open: () => Promise<Reading>,
  { limit, since }: AuditOptions,
): Promise<Audit> {
  const { first, found } = await readWhole(open, limit);
  const starts = first.partitions.map(
    ({ partition, low, start }): PartitionStart => ({
      partition,
      isCut: start > 0n,
      // What retention has taken from the log may be younger than what was not asked for.
      beforeTime: since !== null && start > low ? since : (found.firstTimes.get(partition) ?? null),
    }),
  );
  const sources = [...found.sources.values()];
  const isFaulty = sources.some(
    (source) => source.repeatedCount > 0 || source.gaps(starts).lost.length > 0,
  );
  const places = isFaulty
    ? await findPlaces({ open, firstRead: first.partitions, found, starts, limit })
    : new Places();
  return {
    partitions: first.partitions.length,
    records: found.records,
    unnumbered: found.unnumbered,
    sources: sources.map((source) => reportOf(source, starts, places, limit)),
  };
}

async function readWhole(
  open: () => Promise<Reading>,
  limit: number,
): Promise<{ first: Reading; found: Found }> {
  for (;;) {
    const first = await open();
    const found = new Found(limit);
    for await (const record of first.records()) found.add(record);
    if (first.isWhole()) return { first, found };
  }
}

class Found {
  readonly sources = new Map<string, Source>();
  readonly firstTimes = new Map<number, number>();
  records = 0;
  unnumbered = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(record: ConsumedRecord): void {
    const { partition, offset, timestamp } = record;
    this.records += 1;
    if (!this.firstTimes.has(partition)) this.firstTimes.set(partition, timestamp);
    const mark = markOf(record);
    if (!mark) {
      this.unnumbered += 1;
      return;
    }
    let source = this.sources.get(mark.sourceId);
    if (!source) {
      source = new Source(mark.sourceId, this.#limit);
      this.sources.set(mark.sourceId, source);
    }
    source.add(mark.sequence, { partition, offset }, timestamp);
  }

  /** Behind the end of what `add` was given. */
  arrivedLater({ sourceId, sequence }: Mark, { partition, offset }: Position): void {
    const source = this.sources.get(sourceId);
    if (source?.arrivedLater(sequence, { partition, offset })) this.records += 1;
  }
}

/** Places of the records that somebody asks for, by source and number. */
class Places {
  readonly #found = new Map<string, Position[]>();

  want(sourceId: string, sequence: number): void {
    this.#found.set(`${sequence} ${sourceId}`, []);
  }

  isWanted(sourceId: string, sequence: number): boolean {
    return this.#found.has(`${sequence} ${sourceId}`);
  }

  add({ sourceId, sequence }: Mark, { partition, offset }: Position): void {
    const places = this.#found.get(`${sequence} ${sourceId}`);
    if (places && places.length < mostPlaces) places.push({ partition, offset });
  }

  of(sourceId: string, sequence: number): readonly Position[] {
    const places = this.#found.get(`${sequence} ${sourceId}`) ?? [];
    return places.toSorted((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
  }
}

interface PlacesQuestion {
  readonly open: () => Promise<Reading>;
  readonly firstRead: readonly ReadRange[];
  readonly found: Found;
  readonly starts: readonly PartitionStart[];
  readonly limit: number;
}

/** Of all that is listed. Where what was on its way has come, other faults are listed, and the topic is read again. */
async function findPlaces({
  open,
  firstRead,
  found,
  starts,
  limit,
}: PlacesQuestion): Promise<Places> {
  const sources = [...found.sources.values()];
  for (let lastRead = firstRead; ; ) {
    const ends = new Map(lastRead.map(({ partition, end }) => [partition, end]));
    const places = new Places();
    for (const source of sources) {
      for (const sequence of source.repeated) places.want(source.id, sequence);
      for (const sequence of edgesOf(source, starts, limit)) places.want(source.id, sequence);
    }
    const reading = await open();
    for await (const record of reading.records()) {
      const mark = markOf(record);
      if (!mark) continue;
      places.add(mark, record);
      if (record.offset >= (ends.get(record.partition) ?? 0n)) found.arrivedLater(mark, record);
    }
    lastRead = reading.partitions;
    const isComplete = sources.every((source) =>
      edgesOf(source, starts, limit).every((sequence) => places.isWanted(source.id, sequence)),
    );
    if (isComplete) return places;
  }
}

/** The numbers on both sides of each gap that is listed. */
function edgesOf(source: Source, starts: readonly PartitionStart[], limit: number): number[] {
  const { lost } = source.gaps(starts);
  return lost.slice(0, limit).flatMap(({ from, to }) => [from - 1, to + 1]);
}

function reportOf(
  source: Source,
  starts: readonly PartitionStart[],
  places: Places,
  limit: number,
): SourceReport {
  const { lost, unread } = source.gaps(starts);
  return {
    sourceId: source.id,
    records: source.records,
    different: source.different,
    first: source.first,
    last: source.last,
    lostCount: countOf(lost),
    lost: lost.slice(0, limit).map(({ from, to }) => ({
      from,
      to,
      behind: places.of(source.id, from - 1)[0] ?? null,
      before: places.of(source.id, to + 1)[0] ?? null,
    })),
    unreadCount: countOf(unread),
    openCount: countOf(unread.filter(({ from }) => from > source.first)),
    repeatedCount: source.repeatedCount,
    repeated: [...source.repeated].map((sequence) => ({
      sequence,
      places: places.of(source.id, sequence),
    })),
    reorderedCount: source.reorderedCount,
    reordered: source.reordered,
  };
}

const countOf = (ranges: readonly NumberRange[]): number =>
  ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);

interface Mark {
  readonly sourceId: string;
  readonly sequence: number;
}

/** Null where the record has no number. */
function markOf({ headers }: ConsumedRecord): Mark | null {
  let sourceId: string | null = null;
  let digits = '';
  for (const [name, value] of headers) {
    if (name === sourceIdHeader) sourceId = value?.toString() ?? null;
    else if (name === sequenceHeader) digits = value?.toString() ?? '';
  }
  return sourceId !== null && /^\d{1,15}$/.test(digits)
    ? { sourceId, sequence: Number(digits) }
    : null;
}
