import { describe, expect, it } from 'vitest';
import { messageOf, toJson } from '../../../src/transports/json.ts';

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

  it('says what cannot be read, and keeps the other fields', () => {
    const deep: Record<string, unknown> = {};
    let inner = deep;
    for (let depth = 0; depth < 20_000; depth += 1) {
      const next = {};
      inner['inner'] = next;
      inner = next;
    }
    const value: Record<string, unknown> = { level: 'info', message: 'x', time: 1, big: 2n, deep };
    Object.defineProperty(value, 'broken', {
      enumerable: true,
      get() {
        throw new Error('no');
      },
    });
    value['left out'] = undefined;
    value['self'] = { value };
    expect(JSON.parse(toJson(value))).toEqual({
      level: 'info',
      message: 'x',
      time: 1,
      big: '2',
      deep: '[Unserializable: Maximum call stack size exceeded]',
      broken: '[Unserializable: no]',
      self: { value: '[Circular]' },
    });
  });

  it.each([
    ['an error without a text', Object.create(null)],
    ['an error', new Error('no')],
  ])('says why nothing can be read, for %s', (_what, thrown) => {
    const value = {
      toJSON() {
        throw thrown;
      },
    };
    expect(toJson(value)).toBe(
      JSON.stringify({ message: `[Unserializable: ${messageOf(thrown)}]` }),
    );
  });
});

describe('messageOf', () => {
  it.each([
    [new Error('no'), 'no'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [Object.create(null), 'what was thrown has no text'],
  ])('says what was thrown', (thrown, text) => {
    expect(messageOf(thrown)).toBe(text);
  });
});
