import { expect, it } from 'vitest';
import { Checkpoints } from '../../../../src/cli/ship/checkpoints.ts';

it('tells how many bytes the settled records came from', () => {
  const checkpoints = new Checkpoints();
  checkpoints.note(10, 1_000);
  checkpoints.note(20, 2_000);
  // A chunk in the middle of a long line.
  checkpoints.note(20, 3_000);
  checkpoints.note(30, 4_000);
  expect(checkpoints.bytesOf(0)).toBe(0);
  expect(checkpoints.bytesOf(15)).toBe(1_000);
  expect(checkpoints.bytesOf(20)).toBe(3_000);
  expect(checkpoints.bytesOf(30)).toBe(4_000);
  expect(checkpoints.bytesOf(31)).toBe(4_000);
});
