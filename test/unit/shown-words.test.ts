/** What of a server's words may stand in an error message. */
import { describe, expect, it } from 'vitest';
import { shownWords } from '../../src/shown-words.ts';

const token = 'Ag3kPq9ZxV7mN2wR5tY8uB1cD4fG6hJ0';

describe('the words of a server', () => {
  it('are shown as they are', () => {
    const words = 'Authentication failed: invalid credentials (SCRAM-SHA-512)';
    expect(shownWords(words, [token, 'hunter2', ''])).toBe(words);
  });

  it('come on one line, without what a terminal obeys', () => {
    expect(shownWords(' one\r\n\ttwo \u001b[31mred\u202e\u2028three ', [])).toBe(
      'one two [31mred three',
    );
  });

  it.each([
    ['as it is', token],
    ['in part', token.slice(5, 13)],
    ['in capitals', token.toUpperCase()],
    ['in base64', Buffer.from(token).toString('base64')],
    ['in hexadecimal', Buffer.from(token).toString('hex')],
    ['in a longer word', `auth=${token}/rest`],
  ])('are without a secret %s', (_how, repeated) => {
    expect(shownWords(`bad token ${repeated}, sorry`, [token])).toBe('bad token [hidden], sorry');
  });

  it.each([
    ['short', 'hunter2', 'no hunter2!', 'no [hidden]!'],
    ['with characters that tokens have not', 'p@ss #1 w§rd', 'no "p@ss #1 w§rd"', 'no "[hidden]"'],
    ['with two spaces', 'correct  horse', 'no correct  horse.', 'no [hidden]'],
    ['that is percent-encoded', 'pass word!#', 'no pass%20word!%23', 'no [hidden]'],
  ])('are without a password that is %s', (_how, password, words, shown) => {
    expect(shownWords(words, [password])).toBe(shown);
  });

  it('are cut at 300 characters, and no secret with them', () => {
    expect(shownWords('x'.repeat(301), [])).toBe(`${'x'.repeat(300)}…`);
    for (let visible = 1; visible < token.length; visible += 1) {
      const before = '!'.repeat(300 - visible);
      const shown = shownWords(`${before}${token}`, [token]);
      expect(shown).toBe(`${before}[hidden]…`);
    }
  });

  it('are cut no later than a secret begins that blanks and other secrets push ahead', () => {
    const words = `${token} ${' '.repeat(5_000)}${'x '.repeat(132)}${token}`;
    expect(shownWords(words, [token])).toBe(`[hidden] ${'x '.repeat(132)}[hidden]…`);
  });

  it('of megabytes take no time to speak of', () => {
    const words = 'ab/c'.repeat(10_000_000);
    const startedAt = performance.now();
    shownWords(words, [token.repeat(50)]);
    // Looking for the secret in all of them takes five seconds and more.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
