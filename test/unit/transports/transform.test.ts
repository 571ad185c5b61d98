import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { loadTransform } from '../../../src/transports/transform.ts';

const load = (name: string) => loadTransform(new URL(`./modules/${name}`, import.meta.url).href);

describe('loadTransform', () => {
  it.each([
    ['esm.mjs', { msg: 'x', seen: true }],
    ['commonjs.cjs', 'x'],
    ['compiled.cjs', 'x'],
  ])('loads %s', (name, answer) => {
    expect(load(name)({ msg: 'x' })).toEqual(answer);
  });

  it.each([
    ['no-default.mjs', 'has no function as its default export'],
    ['throws.mjs', 'broken at its top'],
    ['asynchronous.mjs', 'uses top-level await'],
    ['absent.mjs', 'cannot be loaded'],
  ])('refuses %s at start', (name, reason) => {
    expect(() => load(name)).toThrow(ConfigurationError);
    expect(() => load(name)).toThrow(reason);
  });
});
