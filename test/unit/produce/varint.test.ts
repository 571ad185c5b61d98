import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lengthBytes, VarintReader, writeVarint } from '../../../src/produce/varint.ts';
import { slowVarint } from './reference-encoder.ts';

const interesting = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.integer({ min: -200, max: 200 }),
  fc.constantFrom(2 ** 30, 2 ** 30 - 1, -(2 ** 30), -(2 ** 30) - 1, 2 ** 31, -(2 ** 31)),
);

function written(value: number): Buffer {
  const buffer = Buffer.alloc(12);
  return buffer.subarray(0, writeVarint(buffer, 0, value));
}

describe('varints', () => {
  it.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [63, '7e'],
    [64, '8001'],
    [300, 'd804'],
    [2_147_483_647, 'feffffff0f'],
    [-2_147_483_648, 'ffffffff0f'],
  ])('%d is written as Protocol Buffers writes a sint: %s', (value, hex) => {
    expect(written(value).toString('hex')).toBe(hex);
  });

  it('agree with the plain definition, and read back as what was written', () => {
    fc.assert(
      fc.property(interesting, (value) => {
        expect(written(value)).toEqual(slowVarint(value));
        expect(new VarintReader(written(value), 0).next()).toBe(value);
      }),
    );
  });

  it('take as many bytes as lengthBytes foretells', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 30 - 1), (length) => {
        expect(written(length)).toHaveLength(lengthBytes(length));
      }),
    );
    for (const edge of [63, 64, 8_191, 8_192, 1_048_575, 1_048_576, 134_217_727, 134_217_728]) {
      expect(written(edge)).toHaveLength(lengthBytes(edge));
    }
  });

  it('that end in the middle, or never, are refused', () => {
    expect(() => new VarintReader(Buffer.from([0x80]), 0).next()).toThrow(RangeError);
    expect(() => new VarintReader(Buffer.alloc(11, 0xff), 0).next()).toThrow(RangeError);
  });

  it('beyond the safe integers are refused, and read to their edges', () => {
    for (const edge of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      const reader = new VarintReader(slowVarint(edge), 0);
      expect([reader.next(), reader.offset]).toEqual([edge, slowVarint(edge).length]);
    }
    for (const beyond of [2 ** 53, -(2 ** 53), 2 ** 60, -(2 ** 63)]) {
      expect(() => new VarintReader(slowVarint(beyond), 0).next()).toThrow(RangeError);
    }
  });
});
