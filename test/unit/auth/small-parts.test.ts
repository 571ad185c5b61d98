import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAuthorizationCode } from '../../../src/auth/authorization-code.ts';
import { canOpenBrowser } from '../../../src/auth/browser.ts';
import { eventService } from '../../../src/auth/globus-service.ts';
import { principalOf, readIdToken } from '../../../src/auth/id-token.ts';
import { proxyFor } from '../../../src/auth/proxy.ts';
import { renewalTime } from '../../../src/auth/renewing-token.ts';
import { readRetryAfter } from '../../../src/auth/retry-after.ts';
import { readTokenReply, tokensFor } from '../../../src/auth/token-reply.ts';

describe('a token reply', () => {
  const own = { access_token: 'a', expires_in: 10, resource_server: eventService, scope: 's' };
  const other = { access_token: 'b', expires_in: 10, resource_server: 'auth.globus.org' };

  it('is read by resource server, wherever the token stands, with its own refresh token', () => {
    for (const body of [
      { ...own, refresh_token: 'r', other_tokens: [{ ...other, refresh_token: 'o' }] },
      { ...other, refresh_token: 'o', other_tokens: [{ ...own, refresh_token: 'r' }] },
    ]) {
      const reply = readTokenReply(body, 1_000);
      expect(reply && tokensFor(reply, eventService)).toMatchObject({
        accessToken: 'a',
        refreshToken: 'r',
        expiresAt: 11_000,
      });
    }
  });

  it('without an end is taken for an hour, and one that is none is refused', () => {
    expect(readTokenReply({ access_token: 'a' }, 0)?.tokens[0]?.expiresAt).toBe(3_600_000);
    for (const body of [null, 'text', 4, [], {}, { access_token: '' }, { error: 'x' }]) {
      expect(readTokenReply(body, 0)).toBeNull();
    }
  });
});

describe('waiting', () => {
  it('for a renewal ends between 75 and 85 % of the life', () => {
    expect(renewalTime(1_000, 2_000, () => 0)).toBe(1_750);
    expect(renewalTime(1_000, 2_000, () => 0.5)).toBe(1_800);
    expect(renewalTime(1_000, 2_000, () => 1)).toBe(1_850);
  });

  it('reads Retry-After as seconds or as a date', () => {
    const now = Date.parse('2026-01-02T03:04:05Z');
    expect(readRetryAfter('7', now)).toBe(7_000);
    expect(readRetryAfter('Fri, 02 Jan 2026 03:04:35 GMT', now)).toBe(30_000);
    expect(readRetryAfter('Fri, 02 Jan 2026 03:00:00 GMT', now)).toBe(0);
    expect(readRetryAfter('soon', now)).toBeNull();
    expect(readRetryAfter(undefined, now)).toBeNull();
  });
});

describe('the proxy', () => {
  const target = new URL('https://auth.globus.org/v2');
  const of = (env: Record<string, string>): string | undefined => proxyFor(target, env)?.href;

  it('is that of HTTPS_PROXY, in either case, with or without a scheme', () => {
    expect(of({})).toBeUndefined();
    expect(of({ HTTPS_PROXY: 'http://proxy:3128' })).toBe('http://proxy:3128/');
    expect(of({ https_proxy: 'proxy:3128' })).toBe('http://proxy:3128/');
    expect(proxyFor(new URL('http://127.0.0.1/'), { HTTPS_PROXY: 'http://proxy' })).toBeNull();
  });

  it.each([
    '*',
    'globus.org',
    '.globus.org',
    '*.globus.org',
    'a, AUTH.globus.org',
    'globus.org:443',
  ])('is left out for NO_PROXY=%s', (list) =>
    expect(of({ HTTPS_PROXY: 'http://proxy', NO_PROXY: list })).toBeUndefined(),
  );

  it.each(['', 'bus.org', 'globus.org:8443', 'auth.globus.org.example'])(
    'is used for NO_PROXY=%s',
    (list) => expect(of({ HTTPS_PROXY: 'http://proxy', NO_PROXY: list })).toBe('http://proxy/'),
  );
});

describe('an authorization code', () => {
  const read = (text: string): string => readAuthorizationCode(text, 'state');

  it('is taken as it is, or out of an address', () => {
    expect(read('  abc-_123\n')).toBe('abc-_123');
    expect(read('https://auth.globus.org/v2/web/auth-code?code=abc&state=state')).toBe('abc');
    expect(read('https://auth.globus.org/v2/web/auth-code?code=abc')).toBe('abc');
  });

  it.each([
    ['', 'AUTHORIZATION_CODE_MISSING'],
    ['https://auth.globus.org/v2/web/auth-code', 'AUTHORIZATION_CODE_MISSING'],
    ['two words', 'AUTHORIZATION_CODE_INVALID'],
    ['https://x.example/?error=access_denied', 'CONSENT_REFUSED'],
    ['https://x.example/?error=server_error', 'AUTHORIZATION_CODE_INVALID'],
    ['https://x.example/?code=abc&state=other', 'STATE_MISMATCH'],
  ])('%j is refused as %s', (text, code) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code, retriable: false }));
  });
});

describe('an id_token', () => {
  const tokenOf = (claims: unknown): string =>
    `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
  const claims = { iss: 'i', aud: 'c', sub: 's', preferred_username: 'ann@example.org' };

  it('says who signed in', () => {
    expect(readIdToken(tokenOf(claims), 'i', 'c')).toEqual({
      subject: 's',
      username: 'ann@example.org',
    });
    expect(principalOf('ann@example.org')).toBe('ann');
  });

  it('of somebody else, or none at all, is refused without being shown', () => {
    for (const token of [
      tokenOf({ ...claims, iss: 'x' }),
      tokenOf({ ...claims, aud: 'x' }),
      tokenOf({ ...claims, sub: '' }),
      'rubbish',
    ]) {
      expect(() => readIdToken(token, 'i', 'c')).toThrow(
        expect.objectContaining({ code: 'ID_TOKEN_INVALID' }),
      );
    }
  });

  it('never breaks the reader, whatever it holds', () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        expect(() => readIdToken(tokenOf(anything ?? null), 'i', 'c')).toThrow(/id_token/);
      }),
    );
  });
});

describe('a browser', () => {
  it('is opened only where somebody sees it', () => {
    expect(canOpenBrowser({ DISPLAY: ':0' }, 'linux')).toBe(true);
    expect(canOpenBrowser({}, 'linux')).toBe(false);
    expect(canOpenBrowser({}, 'darwin')).toBe(true);
    expect(canOpenBrowser({ DISPLAY: ':0', SSH_CONNECTION: '1' }, 'linux')).toBe(false);
    expect(canOpenBrowser({ CI: 'true' }, 'darwin')).toBe(false);
  });
});
