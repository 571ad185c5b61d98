/** An audit for a person, and for a program. */
import type { Audit, SourceReport } from './audit-topic.ts';
import type { Position } from './source.ts';

/** Whether every number is there, once, and in its order within each partition; from where the reading began. */
export function isClean({ sources }: Audit): boolean {
  return sources.every(
    ({ lostCount, openCount, repeatedCount, reorderedCount }) =>
      lostCount + openCount + repeatedCount + reorderedCount === 0,
  );
}

/** Different records with a number. */
export function numbered({ sources }: Audit): number {
  return sources.reduce((sum, { different }) => sum + different, 0);
}

/** For `--json`: offsets are strings, since they may be larger than what JSON's readers keep exact. */
export function asJson(topic: string, audit: Audit): unknown {
  return JSON.parse(
    JSON.stringify({ topic, clean: isClean(audit), ...audit }, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    ),
  );
}

export function inWords(topic: string, audit: Audit): string {
  const { records, partitions, unnumbered, sources } = audit;
  const lines = [
    `Topic ${topic}: ${count(records, 'record')} in ${count(partitions, 'partition')}, ${count(sources.length, 'source')}.`,
  ];
  if (unnumbered > 0) {
    lines.push(
      `Without numbers, and not judged: ${grouped(unnumbered)}. Write with sourceHeaders: true, or ship --source-headers.`,
    );
  }
  return [...lines, ...sources.flatMap(wordsOf), ''].join('\n');
}

function wordsOf(source: SourceReport): string[] {
  const { sourceId, records, first, last, unreadCount, openCount } = source;
  const { lost, lostCount, repeated, repeatedCount, reordered, reorderedCount } = source;
  const faults = [
    ...section('lost', lostCount, lost, ({ from, to, behind, before }) => {
      const numbers = from === to ? grouped(from) : `${grouped(from)} to ${grouped(to)}`;
      return `${numbers}, between ${placeOf(behind)} and ${placeOf(before)}`;
    }),
    ...section('repeated', repeatedCount, repeated, ({ sequence, places }) => {
      return `${grouped(sequence)}, at ${places.map(placeOf).join(' and ')}`;
    }),
    ...section('out of order', reorderedCount, reordered, ({ sequence, after, ...place }) => {
      return `${grouped(sequence)}, at ${placeOf(place)}, behind ${grouped(after)}`;
    }),
  ];
  const before =
    unreadCount === 0
      ? []
      : [
          `  not judged: ${grouped(unreadCount)} that may lie before where the reading began${openCount === 0 ? '' : `; ${grouped(openCount)} of them between numbers that are there, so that nothing is proved`}`,
        ];
  const verdict =
    faults.length === 0 && openCount === 0 ? ': none lost, repeated or out of order' : '';
  return [
    '',
    `Source ${sourceId}: ${count(records, 'record')}, numbers ${grouped(first)} to ${grouped(last)}${verdict}`,
    ...faults,
    ...before,
  ];
}

function section<T>(
  what: string,
  total: number,
  listed: readonly T[],
  words: (one: T) => string,
): string[] {
  if (total === 0) return [];
  return [`  ${what}: ${grouped(total)}`, ...listed.map((one) => `    ${words(one)}`)];
}

function placeOf(position: Position | null): string {
  if (!position) return 'no record';
  return `partition ${position.partition} offset ${position.offset}`;
}

function count(number: number, what: string): string {
  return `${grouped(number)} ${number === 1 ? what : `${what}s`}`;
}

const grouped = (number: number): string => number.toLocaleString('en');
