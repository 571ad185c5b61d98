import { describe, expect, it } from 'vitest';
import { judge, sequenceAfter } from '../../../src/delivery/stamps.ts';

const last = 2 ** 31 - 1;
const stamp = (baseSequence: number, epoch = 3) => ({ producerId: 7n, epoch, baseSequence });

describe('sequences', () => {
  it('go from 2³¹ − 1 to 0', () => {
    expect(sequenceAfter(last, 1)).toBe(0);
    expect(sequenceAfter(last - 1, 5)).toBe(3);
    expect(sequenceAfter(0, 10)).toBe(10);
  });
});

describe('a stamp in doubt', () => {
  it.each([
    ['stored', stamp(10), 5, { epoch: 3, lastSequence: 14 }],
    ['stored', stamp(last - 1), 5, { epoch: 3, lastSequence: 2 }],
    ['send-again', stamp(10), 5, { epoch: 3, lastSequence: 9 }],
    ['send-again', stamp(0), 5, { epoch: 3, lastSequence: last }],
    ['send-again', stamp(0), 5, { epoch: 2, lastSequence: 77 }],
    ['restamp', stamp(10), 5, { epoch: 2, lastSequence: 77 }],
    ['restamp', stamp(10), 5, { epoch: 3, lastSequence: 4 }],
    ['restamp', stamp(2), 5, { epoch: 3, lastSequence: last - 10 }],
    ['restamp-doubtful', stamp(10), 5, { epoch: 3, lastSequence: 20 }],
    ['fenced', stamp(10), 5, { epoch: 4, lastSequence: 0 }],
    ['restamp-doubtful', stamp(10), 5, undefined],
    ['send-again', stamp(0), 5, null],
  ] as const)('is %s', (verdict, one, count, known) => {
    expect(judge(one, count, known, false)).toBe(verdict);
  });

  it('may be repeated where the leader has forgotten an id whose batches it had acknowledged', () => {
    expect(judge(stamp(10), 5, null, true)).toBe('forgotten');
  });
});
