import { describe, expect, it } from 'vitest';
import { parseFrom, parseUntil } from '../../../../src/cli/tail/place.ts';
import { planOf, type TailFlags } from '../../../../src/cli/tail/plan.ts';
import { contentOf } from '../../../../src/cli/tail/record-content.ts';
import { type FilterFlags, recordFilter } from '../../../../src/cli/tail/record-filter.ts';
import { record } from './records.ts';

const now = Date.UTC(2026, 5, 1);
const flags = (more: Partial<TailFlags> = {}): TailFlags => ({
  from: 'now',
  brokers: 'localhost:9092',
  auth: 'none',
  ...more,
});
const plan = (more: Partial<TailFlags> = {}, topic?: string) =>
  planOf(topic, flags(more), { env: {}, now });

describe('--from and --until', () => {
  it.each([
    ['earliest', 'earliest'],
    ['now', 'latest'],
    ['latest', 'latest'],
    ['-90s', { time: now - 90_000 }],
    ['-1.5h', { time: now - 5_400_000 }],
    ['-2w', { time: now - 14 * 86_400_000 }],
    ['2026-01-01T00:00Z', { time: Date.UTC(2026, 0, 1) }],
    ['2026-01-01T02:00:00.5+02:00', { time: Date.UTC(2026, 0, 1) + 500 }],
    ['2026-01-01', { time: Date.UTC(2026, 0, 1) }],
    ['1767225600000', { time: 1_767_225_600_000 }],
  ])('take %s', (text, place) => {
    expect(parseFrom(text, now)).toEqual(place);
  });

  it.each([
    '',
    '1h',
    '-1y',
    '-h',
    '1',
    '12:00',
    'January 1',
    '2026',
    '2026-13-01',
    '1767225600',
    '9'.repeat(17),
  ])('refuse %j', (text) => {
    expect(() => parseFrom(text, now)).toThrow(/^--from takes earliest, now, -1h/);
    expect(() => parseUntil(text, now)).toThrow(/^--until takes end, -1h/);
  });
});

describe('what is asked of tail', () => {
  it('is a reading of its own without a group', () => {
    expect(plan({ topic: 'logs', from: '-1h', until: 'end' }).reading).toEqual({
      group: null,
      from: { time: now - 3_600_000 },
      to: 'end',
      stopTime: null,
    });
  });

  it('waits for an end that is still to come', () => {
    const until = new Date(now + 5_000).toISOString();
    expect(plan({ topic: 'logs', until }).reading).toMatchObject({
      to: undefined,
      stopTime: now + 5_000,
    });
  });

  it('is a membership with a group', () => {
    expect(plan({ topic: 'logs', group: 'g', commitAfterPrint: true }).reading).toEqual({
      group: 'g',
      autoOffsetReset: 'latest',
      stopTime: null,
    });
  });

  it('takes the topic of the argument, the flag, the file and the environment, in this order', () => {
    const env = { DIASPORA_TOPIC: ' environment ' };
    expect(planOf('argument', flags({ topic: 'flag' }), { env, now }).topic).toBe('argument');
    expect(planOf(undefined, flags({ topic: 'flag' }), { env, now }).topic).toBe('flag');
    expect(planOf(undefined, flags(), { env, now }).topic).toBe('environment');
  });

  it('says the troubles itself, unless the options name another place', () => {
    const { connection, saysTroubles } = plan({ topic: 'logs' });
    expect({ saysTroubles, diagnostics: connection.diagnostics }).toEqual({
      saysTroubles: true,
      diagnostics: 'silent',
    });
  });
});

describe('filters', () => {
  const passes = (given: FilterFlags, value: string | Buffer, more = {}): boolean => {
    const one = record({ ...more, value: Buffer.from(value) });
    return recordFilter(given)(one, contentOf(one.value));
  };

  it.each([
    ['warn', '{"level":40}', true],
    ['warn', '{"level":30}', false],
    ['warn', '{"level":"error"}', true],
    ['warn', '{"level":"INFO"}', false],
    ['35', '{"level":36}', true],
    ['error', '{"level":"crit"}', true],
    ['trace', '{"level":"unheard-of"}', false],
    ['trace', '{"msg":"no level"}', false],
    ['trace', 'text', false],
  ])('--level %s of %s: %s', (level, value, expected) => {
    expect(passes({ level }, value)).toBe(expected);
  });

  it('compare keys and headers byte by byte', () => {
    expect(passes({ key: 'ä' }, '', { key: Buffer.from('ä') })).toBe(true);
    expect(passes({ key: 'a' }, '', { key: null })).toBe(false);
    const headers = [
      ['n', Buffer.from('a=b')],
      ['n', null],
    ];
    expect(passes({ header: ['n=a=b'] }, '', { headers })).toBe(true);
    expect(passes({ header: ['n=a'] }, '', { headers })).toBe(false);
    expect(passes({ header: ['n='] }, '', { headers: [['n', Buffer.alloc(0)]] })).toBe(true);
  });

  it('--grep finds text, and regular expressions from their beginning each time', () => {
    expect(passes({ grep: ['(a'] }, 'x (a) y')).toBe(true);
    expect(passes({ grep: ['/A\\b/i'] }, 'x a y')).toBe(true);
    const everywhere = recordFilter({ grep: ['/a/g'] });
    const one = record();
    const content = contentOf(Buffer.from('a'));
    expect([everywhere(one, content), everywhere(one, content)]).toEqual([true, true]);
    expect(passes({ grep: ['x'] }, Buffer.from([0xff, 0x78]))).toBe(false);
  });
});
