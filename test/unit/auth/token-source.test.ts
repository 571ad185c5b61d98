import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTokenSource } from '../../../src/auth/token-source.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { confidentialClient } from '../../../stack/globus-facts.ts';
import { Heard, sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

/** Token requests since the sign-in, which makes one itself. */
async function signedIn(client: 'native' | 'confidential' = 'native') {
  const person = await globus.signIn('scientist@example.org', client);
  await globus.reset();
  return person;
}

const tokenRequests = async (): Promise<number> => (await globus.requests('token')).length;

describe('a token source', () => {
  it('buys an access token that the broker can introspect', async () => {
    const { refreshToken, subject } = await signedIn();
    const { source, heard } = sourceOf(globus, { refreshToken });
    const before = Date.now();
    const { value, expiresAt } = await source.token();
    expect(expiresAt).toBeGreaterThan(before + 172_800_000 - 5_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 172_800_000);
    const { clientId, clientSecret } = globus.resourceServer;
    const reply = await fetch(globus.introspectionUrl, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
      body: new URLSearchParams({ token: value }),
    });
    expect(await reply.json()).toMatchObject({
      active: true,
      sub: subject,
      username: 'scientist@example.org',
    });
    expect(heard.codes()).toEqual(['TOKEN_REFRESHED']);
  });

  it('asks once for many callers, and keeps the answer', async () => {
    const { refreshToken } = await signedIn();
    const { source } = sourceOf(globus, { refreshToken });
    const tokens = await Promise.all(Array.from({ length: 50 }, () => source.token()));
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1);
    await source.token();
    expect(await tokenRequests()).toBe(1);
  });

  it('shares one request with other sources of the same identity, and outlives the first of them', async () => {
    const { refreshToken } = await signedIn();
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    const one = sourceOf(globus, { refreshToken }, { env });
    const other = sourceOf(globus, { refreshToken }, { env });
    const tokens = await Promise.all([one.source.token(), other.source.token()]);
    expect(tokens[0]).toEqual(tokens[1]);
    one.source.close();
    await expect(one.source.token()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await other.source.token()).toEqual(tokens[0]);
    expect(await tokenRequests()).toBe(1);
  });

  it('renews in the background at 80 % of the life, give or take 5 %', async () => {
    const { refreshToken } = await signedIn();
    await globus.set({ accessTokenTtl: 4 });
    const { source, heard } = sourceOf(globus, { refreshToken });
    const first = await source.token();
    const { time } = await heard.until('TOKEN_REFRESHED', 2);
    const part = (time - (first.expiresAt - 4_000)) / 4_000;
    expect(part).toBeGreaterThanOrEqual(0.74);
    expect(part).toBeLessThan(0.95);
    expect((await source.token()).value).not.toBe(first.value);
    expect(await tokenRequests()).toBe(2);
  });

  it('serves the last good token while the endpoint is down, and says so', async () => {
    const { refreshToken } = await signedIn();
    // Long enough for several tries before its end: afterwards it is renewed only when it is asked for.
    await globus.set({ accessTokenTtl: 16 });
    const { source, heard } = sourceOf(globus, { refreshToken });
    const first = await source.token();
    await globus.failTokens({ kind: 'status', status: 500, retryAfter: '0' });
    const { message, detail } = await heard.until('TOKEN_ENDPOINT_UNAVAILABLE');
    expect(message).toContain('HTTP 500');
    expect(detail['goodUntil']).toBe(first.expiresAt);
    expect(await source.token()).toEqual(first);
    await globus.failTokens(null);
    await heard.until('TOKEN_REFRESHED', 2);
    expect((await source.token()).value).not.toBe(first.value);
  });

  it('asks once more, and only once, for a token that a broker refused', async () => {
    const { refreshToken } = await signedIn();
    const { source } = sourceOf(globus, { refreshToken });
    const first = await source.token();
    source.refused('another token');
    expect(await source.token()).toEqual(first);
    source.refused(first.value);
    const second = await source.token();
    expect(second.value).not.toBe(first.value);
    source.refused(first.value);
    source.refused(second.value);
    expect(await source.token()).toEqual(second);
    expect(await tokenRequests()).toBe(2);
  });

  it('chooses by resource server in either order of the reply', async () => {
    for (const eventServiceFirst of [true, false]) {
      await globus.set({ eventServiceFirst });
      const { refreshToken } = await globus.signIn();
      const { source } = sourceOf(globus, { refreshToken });
      expect((await source.token()).value).toHaveLength(43);
    }
  });

  it('signs in with a confidential client: with a refresh token, and for itself without one', async () => {
    const { refreshToken } = await signedIn('confidential');
    const client = {
      oauthClientId: confidentialClient.clientId,
      oauthClientSecret: confidentialClient.clientSecret,
    };
    await sourceOf(globus, { ...client, refreshToken }).source.token();
    const { source, heard } = sourceOf(globus, client);
    await source.token();
    expect(heard.events[0]?.detail['from']).toBe('client');
  });

  it('leaves a client alone that is refused, and says which options to check', async () => {
    const { refreshToken } = await signedIn();
    const { source, heard } = sourceOf(globus, {
      refreshToken,
      oauthClientId: confidentialClient.clientId,
      oauthClientSecret: 'wrong',
    });
    for (let call = 0; call < 3; call += 1) {
      await expect(source.token()).rejects.toMatchObject({
        code: 'TOKEN_REQUEST_REFUSED',
        retriable: false,
      });
    }
    expect(await tokenRequests()).toBe(1);
    expect(heard.events[0]?.message).toContain('auth.oauthClientSecret');
  });

  it('refuses an issuer over plain HTTP that is not on this machine', () => {
    for (const issuer of [
      'http://auth.globus.org',
      'http://127.0.0.1.example.org',
      'ftp://x',
      'x',
    ]) {
      expect(() =>
        createTokenSource({ auth: { type: 'globus', issuer, oauthClientId: 'x' } }),
      ).toThrow(/auth.issuer/);
    }
  });
});

describe('a token request that fails', () => {
  it.each([429, 500, 502, 503, 504])('is sent again after HTTP %i', async (status) => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'status', status, retryAfter: '0', times: 3 });
    const { source } = sourceOf(globus, { refreshToken });
    await source.token();
    expect(await tokenRequests()).toBe(4);
  });

  it.each(['disconnect', 'garbage'] as const)('is sent again after a %s', async (kind) => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind, times: 1 });
    const { source } = sourceOf(globus, { refreshToken });
    await source.token();
    expect(await tokenRequests()).toBe(2);
  });

  it('is given up after three retries, as an error that may pass', async () => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'status', status: 503, retryAfter: '0' });
    const { source, heard } = sourceOf(globus, { refreshToken });
    await expect(source.token()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      retriable: true,
    });
    expect(await tokenRequests()).toBe(4);
    expect(heard.codes()).toEqual(['TOKEN_ENDPOINT_UNAVAILABLE']);
    await globus.failTokens(null);
    // The endpoint is left alone for a moment, up to a second after the first failure.
    await vi.waitFor(() => source.token(), 5_000);
  });

  it('is not sent again after an answer that will not change', async () => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'status', status: 404 });
    const { source } = sourceOf(globus, { refreshToken });
    await expect(source.token()).rejects.toMatchObject({ retriable: true });
    expect(await tokenRequests()).toBe(1);
  });

  it('waits as long as Retry-After says', async () => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'status', status: 429, retryAfter: '2', times: 1 });
    const { source } = sourceOf(globus, { refreshToken });
    await source.token();
    const [first, second] = await globus.requests('token');
    const pause = (second?.at ?? 0) - (first?.at ?? 0);
    expect(pause).toBeGreaterThanOrEqual(1_990);
    expect(pause).toBeLessThan(3_500);
  });

  it('keeps nobody waiting for a long Retry-After, and asks nothing until then', async () => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'status', status: 503, retryAfter: '3600', times: 1 });
    const { source } = sourceOf(globus, { refreshToken });
    await expect(source.token()).rejects.toMatchObject({ retriable: true });
    await expect(source.token()).rejects.toThrow(/3600 s/);
    expect(await tokenRequests()).toBe(1);
  });

  it('ends at its deadline when nobody answers, and the next one is answered', async () => {
    const { refreshToken } = await signedIn();
    await globus.failTokens({ kind: 'hang', times: 1 });
    const { source } = sourceOf(globus, { refreshToken }, { requestTimeoutMs: 200 });
    await source.token();
    const [first, second] = await globus.requests('token');
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(195);
  });

  it('ends when nobody listens', async () => {
    const { source } = sourceOf(globus, { issuer: 'http://127.0.0.1:1', refreshToken: 'x' });
    await expect(source.token()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('a dead refresh token', () => {
  it('is sent once, reported once, and replaced by what the file shows', async () => {
    const person = await signedIn();
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, 'dead\n');
    const { source, heard } = sourceOf(globus, { refreshTokenFile });
    for (let call = 0; call < 3; call += 1) {
      await expect(source.token()).rejects.toMatchObject({
        code: 'REFRESH_TOKEN_INVALID',
        retriable: false,
      });
    }
    expect(await tokenRequests()).toBe(1);
    expect(heard.codes()).toEqual(['REFRESH_TOKEN_INVALID']);
    expect(heard.events[0]?.message).toContain('npx diaspora-logger request-token');
    writeFileSync(refreshTokenFile, person.refreshToken);
    await source.token();
    expect(await tokenRequests()).toBe(2);
  });

  it('is told apart from none at all', async () => {
    const { source, heard } = sourceOf(globus, {});
    await expect(source.token()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
    await expect(source.token()).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING' });
    expect(heard.codes()).toEqual(['CREDENTIALS_MISSING']);
    expect(await tokenRequests()).toBe(0);
  });
});

describe('a proxy', () => {
  it('is asked to connect to an issuer over https', async () => {
    const asked: string[] = [];
    const proxy = createServer((socket) => {
      socket.once('data', (data) => {
        asked.push(data.toString('latin1').split('\r\n', 1)[0] ?? '');
        socket.end('HTTP/1.1 502 Bad Gateway\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const env = {
      DIASPORA_USER_DIR: temporaryDirectory(),
      HTTPS_PROXY: `http://127.0.0.1:${port}`,
    };
    const { source } = sourceOf(
      globus,
      { issuer: 'https://auth.example.invalid', refreshToken: 'x' },
      { env },
    );
    await expect(source.token()).rejects.toMatchObject({ retriable: true });
    expect(asked[0]).toBe('CONNECT auth.example.invalid:443 HTTP/1.1');
  });
});

describe('a token module', () => {
  it('answers tokens, with or without their end', async () => {
    const path = join(temporaryDirectory(), 'token.mjs');
    writeFileSync(
      path,
      `let calls = 0;
       export default async () => ++calls === 1 ? { value: 'one', expiresAt: Date.now() + 60000 } : 'two';`,
    );
    const source = createTokenSource({ auth: { type: 'token', module: pathToFileURL(path).href } });
    onTestFinished(() => source.close());
    expect((await source.token()).value).toBe('one');
    expect((await source.token()).value).toBe('one');
    source.refused('one');
    expect((await source.token()).value).toBe('two');
  });

  it('that fails is an error that may pass, without what it said', async () => {
    const path = join(temporaryDirectory(), 'token.mjs');
    writeFileSync(path, `export default () => { throw new TypeError('hunter2'); };`);
    const heard = new Heard();
    const source = createTokenSource({
      auth: { type: 'token', module: pathToFileURL(path).href },
      diagnostics: heard.diagnostics,
    });
    onTestFinished(() => source.close());
    const error: unknown = await source.token().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TOKEN_MODULE_FAILED', retriable: true });
    expect(String(error) + JSON.stringify(heard.events)).not.toContain('hunter2');
  });
});
