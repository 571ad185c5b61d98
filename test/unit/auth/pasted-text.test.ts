import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tidied } from '../../../src/auth/pasted-text.ts';

describe('what was pasted', () => {
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
  ])('%s is the address', (pasted) => expect(tidied(pasted)).toBe(address));

  it('may lack the scheme of a stand-in with its port', () => {
    expect(tidied('127.0.0.1:8080/v2?code=abc')).toBe('https://127.0.0.1:8080/v2?code=abc');
    expect(tidied('[::1]:8080/v2?code=abc')).toBe('https://[::1]:8080/v2?code=abc');
  });

  it('is left as it is where it is a code', () => {
    expect(tidied('  "abc-_123" ')).toBe('abc-_123');
    expect(tidied('"')).toBe('"');
    const code = fc.stringMatching(/^[\w.~+/=-]+$/);
    fc.assert(fc.property(code, (text) => void expect(tidied(text)).toBe(text)));
  });
});
