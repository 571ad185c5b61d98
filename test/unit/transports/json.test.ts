import { describe, expect, it } from 'vitest';
import { toJson } from '../../../src/transports/json.ts';

describe('toJson', () => {
  it('writes what JSON.stringify writes', () => {
    const value = { a: 1, b: [true, null, 'ä'], c: { toJSON: () => 'own' }, d: undefined };
    expect(toJson(value)).toBe(JSON.stringify(value));
  });

  it('writes a BigInt as its digits', () => {
    expect(toJson({ offset: 2n ** 64n })).toBe('{"offset":"18446744073709551616"}');
  });

  it('names a circular reference, and not an object that merely occurs twice', () => {
    const shared = { x: 1 };
    const value: Record<string, unknown> = { first: shared, second: shared, big: 1n };
    value['self'] = { inner: value };
    expect(JSON.parse(toJson(value))).toEqual({
      first: { x: 1 },
      second: { x: 1 },
      big: '1',
      self: { inner: '[Circular]' },
    });
  });

  it('says what cannot be read', () => {
    const value = {
      get broken() {
        throw new Error('no');
      },
    };
    expect(JSON.parse(toJson(value))).toEqual({ message: '[Unserializable: no]' });
  });
});
