import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { RenewingToken } from '../../../src/auth/renewing-token.ts';

const hour = 3_600_000;
const day = 24 * hour;

beforeEach(() => {
  vi.useFakeTimers();
  return () => void vi.useRealTimers();
});

/** Tokens t1, t2, … of these lives, the last of which is that of all that follow. */
function renewing(...lives: readonly number[]): { token: RenewingToken; asked: () => number } {
  let asked = 0;
  const token = new RenewingToken(async () => {
    asked += 1;
    const life = lives[Math.min(asked, lives.length) - 1] ?? hour;
    return { value: `t${asked}`, expiresAt: Date.now() + life };
  });
  onTestFinished(() => token.close());
  return { token, asked: () => asked };
}

describe('a token that renews itself', () => {
  it('is not condemned by a refusal of the one before it', async () => {
    let answer = (): void => {};
    let asked = 0;
    const token = new RenewingToken(async () => {
      asked += 1;
      if (asked === 2) await new Promise<void>((resolve) => (answer = resolve));
      if (asked > 2) throw new Error('down');
      return { value: `t${asked}`, expiresAt: Date.now() + hour };
    });
    onTestFinished(() => token.close());
    expect((await token.token()).value).toBe('t1');
    await vi.advanceTimersByTimeAsync(0.9 * hour);
    expect(asked).toBe(2);
    token.refused('t1');
    const second = token.token();
    answer();
    expect((await second).value).toBe('t2');
    expect((await token.token()).value).toBe('t2');
  });

  it('is asked for again after a refusal though the clock was set back', async () => {
    const { token } = renewing(2 * day);
    await token.token();
    token.refused('t1');
    expect((await token.token()).value).toBe('t2');
    vi.setSystemTime(Date.now() - hour);
    vi.advanceTimersByTime(60_000);
    token.refused('t2');
    expect((await token.token()).value).toBe('t3');
  });

  it('is over when its life is, though the clock was set back', async () => {
    const down = vi.fn().mockRejectedValue(new Error('down'));
    down.mockResolvedValueOnce({ value: 't1', expiresAt: Date.now() + hour });
    const token = new RenewingToken(down);
    onTestFinished(() => token.close());
    await token.token();
    vi.setSystemTime(Date.now() - day);
    await vi.advanceTimersByTimeAsync(hour);
    await expect(token.token()).rejects.toThrow('down');
  });

  it('is over when the machine slept beyond its end', async () => {
    const { token } = renewing(hour);
    await token.token();
    vi.setSystemTime(Date.now() + day);
    expect((await token.token()).value).toBe('t2');
  });

  it('of a year is renewed after 75 % of it, not when a timer can wait no longer', async () => {
    const { token, asked } = renewing(365 * day);
    await token.token();
    await vi.advanceTimersByTimeAsync(0.74 * 365 * day);
    expect(asked()).toBe(1);
    await vi.advanceTimersByTimeAsync(0.12 * 365 * day);
    expect(asked()).toBe(2);
  });

  it('with hardly any life is renewed once a second, no more', async () => {
    const { token, asked } = renewing(10);
    await token.token();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked()).toBeLessThanOrEqual(6);
  });

  it.each([2 ** 63, Number.MAX_VALUE, Number.POSITIVE_INFINITY])(
    'for %d ms has an end that can be shown',
    async (life) => {
      const { token } = renewing(life);
      const { expiresAt } = await token.token();
      expect(expiresAt).toBe(Date.now() + 365 * day);
      expect(new Date(token.goodUntil ?? Number.NaN).toISOString()).toMatch(/Z$/);
    },
  );
});

describe('a token that is closed during a renewal', () => {
  it('says so once that has settled', async () => {
    let answer = (): void => {};
    const token = new RenewingToken(async () => {
      await new Promise<void>((resolve) => (answer = resolve));
      return { value: 't1', expiresAt: Date.now() + hour };
    });
    const first = token.token();
    token.close();
    const outcomes: string[] = [];
    const second = token.token().catch(() => outcomes.push('closed'));
    first.then(() => outcomes.push('answered'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(outcomes).toEqual([]);
    answer();
    await second;
    expect(outcomes).toEqual(['answered', 'closed']);
  });
});
