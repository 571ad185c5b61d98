import { describe, expect, it } from 'vitest';
import { auditTopic } from '../../../stack/audit.ts';
import type { TopicRecord } from '../../../stack/read-topic.ts';

/** Records of one partition each, written as `source:sequence`. */
function* topic(...partitions: string[]): Generator<TopicRecord> {
  for (const [partition, text] of partitions.entries()) {
    for (const [offset, mark] of text.split(' ').entries()) {
      const [id, sequence] = mark.split(':');
      const headers: [string, Buffer][] = [];
      if (id) headers.push(['source-id', Buffer.from(id)]);
      if (sequence) headers.push(['source-seq', Buffer.from(sequence)]);
      yield {
        partition,
        offset: BigInt(offset),
        timestamp: 0,
        key: null,
        headers,
        value: Buffer.from('x'),
      };
    }
  }
}

describe('an audit of a topic', () => {
  it('finds nothing wrong with each record once and in order, over partitions and sources', async () => {
    const audit = await auditTopic(topic('a:0 b:0 a:2', 'a:1 b:1 a:3'));
    expect(audit).toEqual({
      records: 6,
      sources: new Map([
        ['a', 4],
        ['b', 2],
      ]),
      lost: [],
      repeated: [],
      reordered: [],
      unmarked: [],
    });
  });

  it('names the numbers that are missing as ranges', async () => {
    const { lost } = await auditTopic(topic('a:2 a:3 a:7'));
    expect(lost).toEqual([
      { sourceId: 'a', from: 0, to: 1 },
      { sourceId: 'a', from: 4, to: 6 },
    ]);
  });

  it('sees a loss at the end, and of a whole source, only when told how many were written', async () => {
    const written = new Map([
      ['a', 4],
      ['b', 2],
    ]);
    expect((await auditTopic(topic('a:0 a:1'))).lost).toEqual([]);
    expect((await auditTopic(topic('a:0 a:1'), written)).lost).toEqual([
      { sourceId: 'a', from: 2, to: 3 },
      { sourceId: 'b', from: 0, to: 1 },
    ]);
  });

  it('tells both places of a repeated record, in another partition too', async () => {
    const { repeated, reordered, sources } = await auditTopic(topic('a:0 a:1 a:0', 'a:1'));
    expect(repeated).toEqual([
      {
        sourceId: 'a',
        sequence: 0,
        first: { partition: 0, offset: 0n },
        again: { partition: 0, offset: 2n },
      },
      {
        sourceId: 'a',
        sequence: 1,
        first: { partition: 0, offset: 1n },
        again: { partition: 1, offset: 0n },
      },
    ]);
    expect(reordered).toEqual([]);
    expect(sources.get('a')).toBe(2);
  });

  it('finds a record behind a later one of its partition, and not one behind another partition', async () => {
    const { reordered, lost } = await auditTopic(topic('a:0 a:3 a:2', 'a:1 a:4'));
    expect(reordered).toEqual([
      { sourceId: 'a', sequence: 2, position: { partition: 0, offset: 2n }, after: 3 },
    ]);
    expect(lost).toEqual([]);
  });

  it.each([':1', 'a:', 'a:one', 'a:-1', 'a:1e3'])(
    'takes %s for a record without a mark',
    async (mark) => {
      const audit = await auditTopic(topic(`a:0 ${mark}`));
      expect(audit.unmarked).toEqual([{ partition: 0, offset: 1n }]);
      expect(audit.records).toBe(2);
    },
  );
});
