import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  duration,
  ProgressTeller,
  progressLine,
  progressLines,
  type ReadyProgress,
} from '../../../src/ready/progress.ts';
import { TimeLimit } from '../../../src/ready/time-limit.ts';

const progress = (change: Partial<ReadyProgress> = {}): ReadyProgress => ({
  step: 'sign-in',
  attempt: 3,
  elapsedMs: 12_000,
  remainingMs: 288_000,
  reason: null,
  ...change,
});

describe('a line of progress', () => {
  it('says how long it has been, how long it may be, and why', () => {
    expect(progressLine(progress({ reason: 'The broker refused the token.' }))).toBe(
      'not ready yet after 12 s (try 3, gives up in 4 min 48 s): The broker refused the token.',
    );
    expect(progressLine(progress({ step: 'read' }))).toMatch(
      /: it reads the record back, and there is no answer yet\.$/,
    );
  });

  it('counts in seconds and minutes', () => {
    expect([0, 59_499, 60_000, 61_000, 3_600_000].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '1 min 1 s',
      '60 min',
    ]);
  });

  it('comes at once for another reason, and else every ten seconds', () => {
    let now = 0;
    const lines: string[] = [];
    const tell = progressLines(
      (line) => lines.push(line),
      () => now,
    );
    for (; now <= 21_000; now += 1_000) tell(progress({ reason: now < 5_000 ? 'one' : 'two' }));
    expect(lines.map((line) => line.slice(-4, -1))).toEqual(['one', 'two', 'two']);
  });

  it('does not come for a try that is quickly done', () => {
    const lines: string[] = [];
    const tell = progressLines((line) => lines.push(line));
    tell(progress());
    expect(lines).toEqual([]);
  });
});

describe('waiting', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ends with its time, and leaves no timer behind', () => {
    const limit = new TimeLimit(5_000);
    vi.advanceTimersByTime(4_999);
    expect(limit.signal.aborted).toBe(false);
    expect(limit.remainingMs).toBe(1);
    vi.advanceTimersByTime(1);
    expect(limit.signal.aborted).toBe(true);
    expect(limit.remainingMs).toBe(0);
    limit.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends with a signal, by its reason, and forgets the signal when it is closed', () => {
    const stop = new AbortController();
    const closed = new TimeLimit(5_000, stop.signal);
    const open = new TimeLimit(5_000, stop.signal);
    closed.close();
    stop.abort('enough');
    expect(open.signal.reason).toBe('enough');
    expect(closed.signal.aborted).toBe(false);
    open.close();
  });

  it('is told of every five seconds and after each failure, whatever the listener does', () => {
    const limit = new TimeLimit(60_000);
    const told: ReadyProgress[] = [];
    const teller = new ProgressTeller(limit, (one) => {
      told.push(one);
      throw new Error('The listener is broken.');
    });
    teller.begin();
    teller.reach('sign-in');
    vi.advanceTimersByTime(5_000);
    teller.fail(new Error('refused'));
    teller.begin();
    vi.advanceTimersByTime(5_000);
    teller.close();
    limit.close();
    vi.advanceTimersByTime(50_000);
    expect(told).toEqual([
      { step: 'sign-in', attempt: 1, elapsedMs: 5_000, remainingMs: 55_000, reason: null },
      { step: 'sign-in', attempt: 1, elapsedMs: 5_000, remainingMs: 55_000, reason: 'refused' },
      { step: 'topic', attempt: 2, elapsedMs: 10_000, remainingMs: 50_000, reason: 'refused' },
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
