import { describe, expect, it } from 'vitest';
import { exitCodeFor, inWords, type Summary } from '../../../../src/cli/ship/summary.ts';

const summary = (more: Partial<Summary> = {}): Summary => ({
  topic: 'app-logs',
  records: 1_200,
  bytes: 2_340_000,
  acknowledged: 1_200,
  possiblyRepeated: 0,
  deadLettered: 0,
  dropped: 0,
  unresolved: 0,
  seconds: 1.25,
  sourceId: null,
  unread: [],
  signal: null,
  ...more,
});

describe('the exit code', () => {
  it('is 0 only where everything was read, and acknowledged', () => {
    expect(exitCodeFor(summary(), null)).toBe(0);
    expect(exitCodeFor(summary({ records: 0, acknowledged: 0 }), 'BROKER_UNREACHABLE')).toBe(0);
    expect(exitCodeFor(summary({ unread: ['there is no file a'] }), null)).toBe(1);
    for (const kind of ['deadLettered', 'dropped', 'unresolved'] as const) {
      expect(exitCodeFor(summary({ acknowledged: 1_199, [kind]: 1 }), null)).toBe(1);
    }
  });

  it('tells what kept records from their topic', () => {
    const left = summary({ acknowledged: 0, unresolved: 1_200 });
    expect(exitCodeFor(left, 'BROKER_UNREACHABLE')).toBe(4);
    expect(exitCodeFor(left, 'TOPIC_WRITE_DENIED')).toBe(3);
    expect(exitCodeFor(left, 'TOPIC_UNKNOWN')).toBe(1);
    const dropped = summary({ acknowledged: 1_199, dropped: 1 });
    expect(exitCodeFor(dropped, 'BROKER_UNREACHABLE')).toBe(1);
  });
});

describe('the last line', () => {
  it.each([
    [
      summary(),
      'diaspora-logger: 1,200 records (2.3 MB) shipped to topic app-logs in 1.3 s, all acknowledged.',
    ],
    [
      summary({ signal: 'SIGINT', possiblyRepeated: 3 }),
      'diaspora-logger: ended by SIGINT: 1,200 records (2.3 MB) shipped to topic app-logs in 1.3 s, all acknowledged. 3 of them may be stored twice.',
    ],
    [
      summary({ acknowledged: 1_000, unresolved: 100, deadLettered: 60, dropped: 40 }),
      'diaspora-logger: of 1,200 records (2.3 MB) for topic app-logs, 1,000 acknowledged, 100 not delivered, 60 in the dead letters, 40 dropped, in 1.3 s.',
    ],
  ])('%#', (given, words) => {
    expect(inWords(given)).toBe(words);
  });
});
