import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAuthorizationCode } from '../../../src/auth/authorization-code.ts';

const read = (pasted: string): string => readAuthorizationCode(pasted, 'x');

describe('the authorization code', () => {
  const address = 'https://auth.globus.org/v2/web/auth-code?code=abc&state=x';

  it.each([
    address,
    ` ${address}\n`,
    `"${address}"`,
    `'${address}'`,
    `<${address}>`,
    `\u201c${address}\u201d`,
    'auth.globus.org/v2/web/auth-code?code=abc&state=x',
    '"auth.globus.org/v2/web/auth-code?code=abc&state=x"',
    '127.0.0.1:8080/v2?code=abc',
    '[::1]:8080/v2?code=abc',
  ])('is found in %s', (pasted) => expect(read(pasted)).toBe('abc'));

  it.each([
    'auth.globus.org/v2/web/auth-code?code=abc&state=other',
    `"${address.replace('state=x', 'state=other')}"`,
  ])('is not taken from %s, of another sign-in', (pasted) => {
    expect(() => read(pasted)).toThrow(/another sign-in/);
  });

  it('is left as it is where it was pasted alone', () => {
    expect(read('  "abc-_123" ')).toBe('abc-_123');
    expect(read('"')).toBe('"');
    const code = fc.stringMatching(/^[\w.~+/=-]+$/);
    fc.assert(fc.property(code, (text) => void expect(read(text)).toBe(text)));
  });
});
