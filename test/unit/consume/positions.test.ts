import { describe, expect, it } from 'vitest';
import { type Found, Positions, type Progress } from '../../../src/consume/positions.ts';

const zero = { topic: 'logs', partition: 0 };
const one = { topic: 'logs', partition: 1 };

function place(positions: Positions, found: Found = { committed: null, end: 0n }): void {
  for (const unplaced of positions.unplaced()) positions.place(unplaced, found);
}

function progressOf(positions: Positions): Progress {
  const progress = positions.current(zero);
  if (!progress) throw new Error('nothing may be read');
  return progress;
}

function reading(found: Found = { committed: 5n, end: null }): {
  positions: Positions;
  progress: Progress;
} {
  const positions = new Positions();
  positions.assign([zero]);
  place(positions, found);
  return { positions, progress: progressOf(positions) };
}

describe('Where a partition goes on', () => {
  it('is where the group has committed', () => {
    const { positions } = reading({ committed: 5n, end: null });
    expect(positions.given()).toEqual([{ ...zero, offset: 5n }]);
    expect(positions.uncommitted()).toEqual([]);
  });

  it('is an end of the log where nothing is committed, and that is to be committed', () => {
    const { positions } = reading({ committed: null, end: 7n });
    expect(positions.uncommitted()).toEqual([{ ...zero, offset: 7n }]);
  });

  it('is unknown until it is found', () => {
    const positions = new Positions();
    positions.assign([zero]);
    expect(positions.current(zero)).toBeNull();
    expect(positions.given()).toEqual([]);
    expect(positions.uncommitted()).toEqual([]);
    const [unplaced] = positions.unplaced();
    expect(unplaced && positions.place(unplaced, null)).toBeNull();
    expect(positions.unplaced()).toEqual([unplaced]);
  });

  it('is behind what was given, where the partition stays', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    positions.suspend();
    expect(positions.current(zero)).toBeNull();
    positions.assign([zero, one]);
    place(positions, { committed: 5n, end: null });
    expect(positions.current(zero)).toBe(progress);
    expect(positions.given()).toContainEqual({ ...zero, offset: 6n });
  });

  it('is where another member has got to in the meantime', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    positions.suspend();
    positions.assign([zero]);
    place(positions, { committed: 50n, end: null });
    progress.past.goTo(6n);
    expect(positions.given()).toEqual([{ ...zero, offset: 50n }]);
    expect(positions.uncommitted()).toEqual([]);
  });

  it('is forgotten when the partition goes to another member, whatever is in hand', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    positions.assign([one]);
    place(positions, { committed: 0n, end: null });
    progress.past.goTo(6n);
    expect(positions.owns(zero)).toBe(false);
    expect(positions.uncommitted()).toEqual([]);
    expect(positions.given()).toEqual([{ ...one, offset: 0n }]);
  });

  it('is what was sought last, however long the search before took', () => {
    const { positions } = reading();
    const slow = positions.seek(zero, 'latest');
    const fast = positions.seek(zero, 3n);
    expect(fast && positions.place(fast, null)).toBe(3n);
    expect(slow && positions.place(slow, { committed: 5n, end: 90n })).toBeNull();
    expect(positions.given()).toEqual([{ ...zero, offset: 3n }]);
  });

  it('is what was sought while it was another member’s', () => {
    const { positions } = reading();
    expect(positions.seek(one, 15n)).toBeNull();
    expect(positions.uncommitted()).toEqual([]);
    positions.assign([zero, one]);
    place(positions, { committed: 5n, end: null });
    expect(positions.given()).toEqual([
      { ...zero, offset: 5n },
      { ...one, offset: 15n },
    ]);
  });

  it('is what was sought before it became another member’s, where that was not found yet', () => {
    const { positions } = reading();
    positions.seek(zero, 'earliest');
    positions.assign([]);
    positions.assign([zero]);
    expect(positions.unplaced()).toEqual([{ ...zero, target: 'earliest' }]);
  });

  it('is what was sought while what is committed was asked for', () => {
    const { positions } = reading();
    for (const target of [3n, 4n]) {
      positions.assign([zero, one]);
      for (const partition of [zero, one]) {
        const unplaced = positions.seek(partition, target);
        if (unplaced) positions.place(unplaced, null);
      }
      positions.assign([zero, one]);
      place(positions, { committed: 100n, end: null });
      expect(positions.given().map(({ offset }) => offset)).toEqual([target, target]);
    }
  });

  it('needs no end of the log where it was left, though nothing is committed', () => {
    const { positions, progress } = reading({ committed: null, end: 7n });
    positions.assign([zero, one]);
    place(positions, { committed: null, end: null });
    expect(positions.current(zero)).toBe(progress);
    expect(positions.unplaced()).toEqual([{ ...one, target: null }]);
  });

  it('is not what was found before the group began to share its partitions anew', () => {
    const positions = new Positions();
    positions.assign([zero]);
    const [unplaced] = positions.unplaced();
    positions.suspend();
    expect(unplaced && positions.place(unplaced, { committed: 5n, end: null })).toBeNull();
    expect(positions.current(zero)).toBeNull();
  });

  it('is what was sought, where the group shares its partitions before that is found', () => {
    const { positions } = reading();
    positions.seek(zero, 'earliest');
    positions.suspend();
    positions.assign([zero]);
    expect(positions.unplaced()).toEqual([{ ...zero, target: 'earliest' }]);
  });
});

describe('What is committed', () => {
  it('is behind what the iteration has gone past', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    expect(positions.uncommitted()).toEqual([]);
    progress.past.goTo(6n);
    expect(positions.uncommitted()).toEqual([{ ...zero, offset: 6n }]);
  });

  it('is not moved back behind an explicit commit', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    progress.past.goTo(6n);
    progress.give(6n);
    positions.committing([{ ...zero, offset: 7n }])();
    expect(positions.uncommitted()).toEqual([]);
  });

  it('goes back with a seek, also while a commit is on its way', () => {
    const { positions, progress } = reading();
    progress.give(5n);
    progress.past.goTo(6n);
    const committed = positions.committing([{ ...zero, offset: 6n }]);
    const unplaced = positions.seek(zero, 2n);
    if (unplaced) positions.place(unplaced, null);
    committed();
    expect(positions.uncommitted()).toEqual([{ ...zero, offset: 2n }]);
  });

  it('goes back where the log has begun anew', () => {
    const { positions, progress } = reading();
    const committed = positions.committing([{ ...zero, offset: 5n }]);
    const old = progress.give(5n);
    progress.give(0n).goTo(1n);
    old.goTo(6n);
    committed();
    expect(positions.uncommitted()).toEqual([{ ...zero, offset: 1n }]);
  });
});
