import { expect, it } from 'vitest';
import { backOff } from '../../src/back-off.ts';

it('waits between nothing and a bound that doubles up to a limit', () => {
  const retry = { minMs: 100, maxMs: 10_000 };
  const bounds = [0, 1, 2, 6, 7, 1_000].map((attempt) => backOff(attempt, retry, () => 1));
  expect(bounds).toEqual([100, 200, 400, 6_400, 10_000, 10_000]);
  expect(backOff(5, retry, () => 0)).toBe(0);
  expect(backOff(5, retry, () => 0.5)).toBe(1_600);
});
