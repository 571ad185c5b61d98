import { describe, expect, it } from 'vitest';
import { type Audit, auditTopic, type Reading } from '../../../../src/cli/audit/audit-topic.ts';
import { asJson, inWords, isClean, numbered } from '../../../../src/cli/audit/report.ts';
import type { ConsumedRecord } from '../../../../src/consume/consumed-record.ts';

/** One record: source and number, or null for one without. */
type Entry = readonly [source: string, sequence: number] | null;

/** A partition's records, and the offset of the first. */
interface Log {
  readonly start?: number;
  /** Where the log begins. */
  readonly low?: number;
  readonly entries: readonly Entry[];
  /** Whether some of it is deleted while it is read. */
  readonly isCut?: boolean;
  /** Of the first record; each next one is a millisecond later. */
  readonly time?: number;
}

function recordsOf({ start = 0, entries, time = 1_000 }: Log, partition: number): ConsumedRecord[] {
  return entries.map((entry, i) => ({
    topic: 't',
    partition,
    offset: BigInt(start + i),
    key: null,
    value: Buffer.from('x'),
    headers: entry
      ? [
          ['source-id', Buffer.from(entry[0])],
          ['source-seq', Buffer.from(String(entry[1]))],
        ]
      : [],
    timestamp: time + i,
  }));
}

function readingOf(logs: readonly Log[]): Reading {
  return {
    partitions: logs.map(({ start = 0, low = 0, entries }, partition) => ({
      partition,
      low: BigInt(low),
      start: BigInt(start),
      end: BigInt(start + entries.length),
    })),
    async *records() {
      for (const [partition, log] of logs.entries()) yield* recordsOf(log, partition);
    },
    isWhole: () => !logs.some(({ isCut = false }) => isCut),
  };
}

/** `later`: what the topic holds when it is read once more. `since`: as `--from` has it. */
function audit(
  logs: readonly Log[],
  { later = logs, limit = 20, since = null as number | null } = {},
): Promise<Audit> {
  const readings = [readingOf(logs)];
  return auditTopic(async () => readings.shift() ?? readingOf(later), { limit, since });
}

const of =
  (source: string) =>
  (...numbers: number[]): Entry[] =>
    numbers.map((n) => [source, n]);
const a = of('a');
const b = of('b');

describe('an audit', () => {
  it('finds nothing wrong where each number is there once, in any order of the partitions', async () => {
    const found = await audit([{ entries: a(2, 3, 6) }, { entries: [...a(0, 1), ...a(4, 5)] }]);
    expect(isClean(found)).toBe(true);
    expect(numbered(found)).toBe(7);
    expect(found.sources).toMatchObject([{ sourceId: 'a', records: 7, first: 0, last: 6 }]);
    expect(inWords('t', found)).toContain('none lost, repeated or out of order');
  });

  it('tells which numbers are lost, and between which records', async () => {
    const found = await audit([{ entries: a(0, 1, 5) }, { entries: [null, ...a(7)] }]);
    expect(isClean(found)).toBe(false);
    expect(found.unnumbered).toBe(1);
    expect(found.sources[0]).toMatchObject({
      lostCount: 4,
      lost: [
        {
          from: 2,
          to: 4,
          behind: { partition: 0, offset: 1n },
          before: { partition: 0, offset: 2n },
        },
        {
          from: 6,
          to: 6,
          behind: { partition: 0, offset: 2n },
          before: { partition: 1, offset: 1n },
        },
      ],
    });
    expect(inWords('t', found)).toContain(
      '2 to 4, between partition 0 offset 1 and partition 0 offset 2',
    );
  });

  it('counts what is missing before the first number as lost, too', async () => {
    const found = await audit([{ entries: a(2, 3) }]);
    expect(found.sources[0]).toMatchObject({
      lostCount: 2,
      lost: [{ from: 0, to: 1, behind: null, before: { partition: 0, offset: 0n } }],
    });
    expect(inWords('t', found)).toContain('0 to 1, between no record and partition 0 offset 0');
  });

  it('begins anew where records were deleted before they were read: they are not lost', async () => {
    const cut = [{ entries: a(0, 1, 5, 6, 7), isCut: true }, { entries: a(2) }];
    const whole = [{ start: 5, low: 5, entries: a(6, 7) }, { entries: [] }];
    const found = await audit(cut, { later: whole });
    expect(isClean(found)).toBe(true);
    expect(found.records).toBe(2);
    expect(found.sources).toMatchObject([{ lostCount: 0, unreadCount: 6, first: 6, last: 7 }]);
  });

  it('tells where a repeated record lies, each time', async () => {
    const found = await audit([{ entries: a(0, 1, 1) }, { entries: a(0, 2) }]);
    expect(found.sources[0]).toMatchObject({
      records: 5,
      different: 3,
      repeatedCount: 2,
      repeated: [
        {
          sequence: 1,
          places: [
            { partition: 0, offset: 1n },
            { partition: 0, offset: 2n },
          ],
        },
        {
          sequence: 0,
          places: [
            { partition: 0, offset: 0n },
            { partition: 1, offset: 0n },
          ],
        },
      ],
      reorderedCount: 0,
    });
  });

  it('tells where a partition goes back', async () => {
    const found = await audit([{ entries: a(0, 2, 1, 3) }]);
    expect(isClean(found)).toBe(false);
    expect(found.sources[0]).toMatchObject({
      lostCount: 0,
      reorderedCount: 1,
      reordered: [{ sequence: 1, partition: 0, offset: 2n, after: 2 }],
    });
  });

  it('takes a repeated record for no reordered one, whichever partition is read first', async () => {
    const logs = [{ entries: a(0, 1) }, { entries: a(2, 1) }];
    for (const each of [logs, logs.toReversed()]) {
      const found = await audit(each);
      expect(found.sources).toMatchObject([{ repeatedCount: 1, reorderedCount: 0 }]);
    }
  });

  it('keeps sources apart', async () => {
    const found = await audit([{ entries: [...a(0), ...b(0, 1), ...a(1), ...b(3)] }]);
    expect(found.sources).toMatchObject([
      { sourceId: 'a', lostCount: 0 },
      { sourceId: 'b', lostCount: 1, lost: [{ from: 2, to: 2 }] },
    ]);
  });

  it('lists so many faults, and counts all', async () => {
    const odd = Array.from({ length: 50 }, (_, n) => 2 * n + 1);
    const found = await audit([{ entries: [...a(...odd), ...a(...odd)] }], { limit: 3 });
    const [source] = found.sources;
    expect(source).toMatchObject({ lostCount: 50, repeatedCount: 50 });
    expect(source?.lost).toHaveLength(3);
    expect(source?.repeated).toHaveLength(3);
  });

  it('takes what was still on its way for neither lost nor new', async () => {
    const logs = [{ entries: a(0, 2) }, { entries: [] }];
    const later = [{ entries: a(0, 2) }, { entries: a(1, 3) }];
    const found = await audit(logs, { later });
    expect(isClean(found)).toBe(true);
    expect(found.sources).toMatchObject([{ different: 3, last: 2 }]);
  });

  it('counts what was still on its way as what had come, also where it goes back', async () => {
    const logs = [{ entries: a(0, 2, 3) }, { entries: a(4) }];
    const later = [{ entries: a(0, 2, 3, 1) }, { entries: a(4, 6) }];
    const found = await audit(logs, { later });
    expect(isClean(found)).toBe(false);
    expect(found).toMatchObject({
      records: 5,
      sources: [
        {
          records: 5,
          different: 5,
          lostCount: 0,
          reordered: [{ sequence: 1, partition: 0, offset: 3n, after: 3 }],
        },
      ],
    });
    expect(found).toEqual(await audit([{ entries: a(0, 2, 3, 1) }, { entries: a(4) }]));
  });

  it('compares what was on its way with all that came before it', async () => {
    const logs = [{ entries: a(0, 1, 3) }, { entries: [] }];
    const found = await audit(logs, { later: [{ entries: a(0, 1, 3) }, { entries: a(4, 2) }] });
    expect(found.sources).toMatchObject([
      { last: 3, lostCount: 0, reordered: [{ sequence: 2, partition: 1, after: 4 }] },
    ]);
  });

  it('does not take what was on its way for the beginning of a partition that was cut', async () => {
    const logs = [
      { entries: a(0, 2, 4), time: 5_000 },
      { start: 9, entries: b(0) },
    ];
    const later = [{ entries: a(0, 2, 4) }, { start: 9, entries: [...b(0), ...a(3)] }];
    const found = await audit(logs, { later });
    expect(found.sources[0]).toMatchObject({ unreadCount: 0, lost: [{ from: 1, to: 1 }] });
  });

  it('tells the places of those that are lost once others have come', async () => {
    const logs = [{ entries: a(0, 2, 4, 8) }, { entries: [] }];
    const later = [{ entries: a(0, 2, 4, 8) }, { entries: a(1, 6) }];
    const found = await audit(logs, { later, limit: 2 });
    expect(found.sources).toMatchObject([
      {
        lostCount: 3,
        lost: [
          {
            from: 3,
            to: 3,
            behind: { partition: 0, offset: 1n },
            before: { partition: 0, offset: 2n },
          },
          {
            from: 5,
            to: 5,
            behind: { partition: 0, offset: 2n },
            before: { partition: 1, offset: 1n },
          },
        ],
      },
    ]);
  });

  it('leaves open what may have been before the first record of a partition that was cut', async () => {
    const found = await audit([{ start: 9, entries: a(3, 6) }, { entries: a(0, 4) }]);
    expect(isClean(found)).toBe(false);
    expect(found.sources[0]).toMatchObject({
      unreadCount: 2,
      lostCount: 1,
      lost: [{ from: 5, to: 5 }],
    });
    expect(inWords('t', found)).toContain('not judged: 2 that may lie before');
  });

  it('judges a source that began after a cut partition was cut', async () => {
    const cut = { start: 9, entries: b(5), time: 1_000 };
    const found = await audit([cut, { entries: a(0, 2), time: 5_000 }]);
    expect(found.sources).toMatchObject([
      { sourceId: 'b', unreadCount: 5, lostCount: 0 },
      { sourceId: 'a', unreadCount: 0, lostCount: 1 },
    ]);
  });

  it('leaves all open where a cut partition tells nothing, and proves nothing', async () => {
    const found = await audit([{ start: 9, entries: [] }, { entries: a(0, 2) }]);
    expect(found.sources).toMatchObject([{ unreadCount: 1, openCount: 1, lostCount: 0 }]);
    expect(isClean(found)).toBe(false);
    expect(inWords('t', found)).toContain('1 of them between numbers that are there');
    expect(inWords('t', found)).not.toContain('none lost');
  });

  it('judges what was read from a time on, also where a partition was quiet since', async () => {
    const quiet = { start: 9, entries: [] };
    const found = await audit([{ start: 100, entries: a(7, 8, 12), time: 5_000 }, quiet], {
      since: 4_000,
    });
    expect(found.sources).toMatchObject([
      { unreadCount: 7, openCount: 0, lostCount: 3, lost: [{ from: 9, to: 11 }] },
    ]);
  });

  it('leaves open what retention has taken, though only records from a time on were asked for', async () => {
    const cut = { start: 3, low: 3, entries: [null], time: 6_000 };
    const logs = [{ entries: a(0, 1, 2, 6, 7), time: 5_000 }, cut];
    const [open] = (await audit(logs)).sources;
    expect(open).toMatchObject({ lostCount: 0, openCount: 3 });
    expect((await audit(logs, { since: 10 })).sources).toEqual([open]);
    const nothing = [logs[0] ?? cut, { ...cut, entries: [] }];
    expect((await audit(nothing, { since: 10 })).sources).toEqual([open]);
  });

  it('is clean from a time on where only what is older is not judged', async () => {
    const quiet = { start: 9, entries: [] };
    const found = await audit([{ start: 100, entries: a(7, 8), time: 5_000 }, quiet], {
      since: 4_000,
    });
    expect(found.sources).toMatchObject([{ unreadCount: 7, openCount: 0, lostCount: 0 }]);
    expect(isClean(found)).toBe(true);
  });

  it('counts records whose numbers are none as records without', async () => {
    const found = await audit([
      { entries: [['a', -1], ['a', Number.NaN], ['a', 10 ** 16], null, ...a(0)] },
    ]);
    expect(found).toMatchObject({ records: 5, unnumbered: 4, sources: [{ records: 1 }] });
  });

  it('is clean, and proves nothing, where nothing has a number', async () => {
    const found = await audit([{ entries: [null, null] }]);
    expect(numbered(found)).toBe(0);
    expect(inWords('t', found)).toContain('Without numbers, and not judged: 2.');
  });

  it('gives programs offsets as strings', async () => {
    const found = await audit([{ start: 0, entries: a(1) }]);
    expect(asJson('t', found)).toMatchObject({
      topic: 't',
      clean: false,
      sources: [{ lost: [{ from: 0, to: 0, behind: null, before: { offset: '0' } }] }],
    });
  });
});
