/** Proves from a topic's records alone that none is missing, repeated or out of order. */

import type { TopicRecord } from './read-topic.ts';

/** Header that names the source of a record. */
const sourceIdHeader = 'source-id';

/** Header with the record's number at its source: 0, 1, 2 … as decimal digits. */
export const sourceSequenceHeader = 'source-seq';

/** A place in the topic. */
export interface Position {
  readonly partition: number;
  readonly offset: bigint;
}

/** Numbers of a source that are nowhere in the topic, both ends included. */
export interface LostRange {
  readonly sourceId: string;
  readonly from: number;
  readonly to: number;
}

/** A record that is in the topic once more. */
export interface RepeatedRecord {
  readonly sourceId: string;
  readonly sequence: number;
  readonly first: Position;
  readonly again: Position;
}

/** A record that comes after a later one of its source in the same partition. */
export interface ReorderedRecord {
  readonly sourceId: string;
  readonly sequence: number;
  readonly position: Position;
  /** The highest number of the source that the partition had before. */
  readonly after: number;
}

/** What is in the topic. */
export interface Audit {
  /** All records, repeated and unmarked ones included. */
  readonly records: number;
  /** How many different records of each source were found. */
  readonly sources: ReadonlyMap<string, number>;
  readonly lost: readonly LostRange[];
  readonly repeated: readonly RepeatedRecord[];
  /** Within a partition and source; repeated records are not counted here as well. */
  readonly reordered: readonly ReorderedRecord[];
  /** Records without the two headers. */
  readonly unmarked: readonly Position[];
}

interface Source {
  readonly found: Map<number, Position>;
  readonly highest: Map<number, number>;
}

/**
 * @param records in the order of each partition, as `readTopic` yields them.
 * @param expected how many records each source wrote. Without it, the highest number found of a
 * source counts as its last, so that a loss at the end is not seen.
 */
export async function auditTopic(
  records: AsyncIterable<TopicRecord> | Iterable<TopicRecord>,
  expected: ReadonlyMap<string, number> = new Map(),
): Promise<Audit> {
  const sources = new Map<string, Source>();
  const repeated: RepeatedRecord[] = [];
  const reordered: ReorderedRecord[] = [];
  const unmarked: Position[] = [];
  let count = 0;
  for await (const record of records) {
    count += 1;
    const position = { partition: record.partition, offset: record.offset };
    const mark = markOf(record);
    if (!mark) {
      unmarked.push(position);
      continue;
    }
    const { sourceId, sequence } = mark;
    const source = sources.get(sourceId) ?? { found: new Map(), highest: new Map() };
    sources.set(sourceId, source);
    const first = source.found.get(sequence);
    if (first) {
      repeated.push({ sourceId, sequence, first, again: position });
      continue;
    }
    source.found.set(sequence, position);
    const after = source.highest.get(record.partition) ?? -1;
    if (sequence < after) reordered.push({ sourceId, sequence, position, after });
    else source.highest.set(record.partition, sequence);
  }
  const sourceIds = new Set([...expected.keys(), ...sources.keys()]);
  return {
    records: count,
    sources: new Map([...sources].map(([sourceId, { found }]) => [sourceId, found.size])),
    lost: [...sourceIds].flatMap((sourceId) =>
      gaps(sourceId, sources.get(sourceId)?.found ?? new Map(), expected.get(sourceId) ?? 0),
    ),
    repeated,
    reordered,
    unmarked,
  };
}

function markOf({ headers }: TopicRecord): { sourceId: string; sequence: number } | undefined {
  const sourceId = headers.find(([name]) => name === sourceIdHeader)?.[1].toString();
  const digits = headers.find(([name]) => name === sourceSequenceHeader)?.[1].toString();
  if (sourceId === undefined || digits === undefined || !/^\d{1,15}$/.test(digits))
    return undefined;
  return { sourceId, sequence: Number(digits) };
}

function gaps(
  sourceId: string,
  found: ReadonlyMap<number, Position>,
  expected: number,
): LostRange[] {
  const ranges: LostRange[] = [];
  let next = 0;
  for (const sequence of [...found.keys()].sort((a, b) => a - b)) {
    if (sequence > next) ranges.push({ sourceId, from: next, to: sequence - 1 });
    next = sequence + 1;
  }
  if (expected > next) ranges.push({ sourceId, from: next, to: expected - 1 });
  return ranges;
}
