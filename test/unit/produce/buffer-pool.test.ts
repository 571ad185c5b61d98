import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../../src/produce/buffer-pool.ts';

describe('BufferPool', () => {
  it('lends the buffer again that was given back', () => {
    const pool = new BufferPool();
    const buffer = pool.take(20_000);
    pool.give(buffer);
    expect(pool.take(21_000)).toBe(buffer);
    expect(pool.take(21_000)).not.toBe(buffer);
  });

  it('never lends less than asked for, nor half as much again beyond the smallest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4_000_000 }), (bytes) => {
        const { length } = new BufferPool().take(bytes);
        expect(length).toBeGreaterThanOrEqual(bytes);
        expect(length).toBeLessThanOrEqual(Math.max(1_024, bytes * 1.5));
      }),
    );
  });

  it('keeps no more than its bound', () => {
    const pool = new BufferPool(100_000);
    const buffers = Array.from({ length: 10 }, () => pool.take(16_000));
    for (const buffer of buffers) pool.give(buffer);
    expect(pool.keptBytes).toBe(6 * 16_384);
  });
});
