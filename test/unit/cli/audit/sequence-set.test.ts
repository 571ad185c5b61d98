import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { SequenceSet } from '../../../../src/cli/audit/sequence-set.ts';

it('is a set, and its gaps are what is not in it', () => {
  const numbers = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 4_000, max: 4_200 })),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(numbers, (given) => {
      const set = new SequenceSet();
      const model = new Set<number>();
      for (const number of given) {
        expect(set.add(number)).toBe(!model.has(number));
        model.add(number);
      }
      const highest = Math.max(...given);
      const missing = Array.from({ length: highest }, (_, n) => n).filter((n) => !model.has(n));
      const gaps = [...set.gaps()];
      expect(
        gaps.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
      ).toEqual(missing);
      // As few as there can be.
      for (const { from } of gaps) expect(from === 0 || model.has(from - 1)).toBe(true);
      expect(set).toMatchObject({ size: model.size, highest, lowest: Math.min(...given) });
    }),
  );
});

it('has no gap in many pages that are full, and one of a single number in the middle', () => {
  const set = new SequenceSet();
  for (let number = 0; number < 100_000; number += 1) if (number !== 50_000) set.add(number);
  expect([...set.gaps()]).toEqual([{ from: 50_000, to: 50_000 }]);
  expect(set.add(50_000)).toBe(true);
  expect([...set.gaps()]).toEqual([]);
  expect(set.add(50_000)).toBe(false);
});

it('finds a gap of many pages without going through them', () => {
  const set = new SequenceSet();
  set.add(0);
  set.add(10 ** 15 - 1);
  expect([...set.gaps()]).toEqual([{ from: 1, to: 10 ** 15 - 2 }]);
});
