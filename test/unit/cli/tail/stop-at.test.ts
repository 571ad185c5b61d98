import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { stopAt } from '../../../../src/cli/tail/stop-at.ts';

const dayMs = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

describe('a time to stop at', () => {
  it.each([1 / dayMs, 1, 24, 25, 60])('is waited for, in %d days', (days) => {
    const signal = stopAt(Date.now() + days * dayMs);
    vi.advanceTimersByTime(days * dayMs - 1);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
  });

  it('may have come', () => {
    expect(stopAt(Date.now()).aborted).toBe(true);
  });
});
