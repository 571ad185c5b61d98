import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { authService, eventService } from '../../../src/auth/globus-service.ts';
import { resolveDiaspora } from '../../../src/options.ts';
import { forgetTokens, replacedTokens } from '../../../src/services/logout.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { confidentialClient } from '../../../stack/globus-facts.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';
import { PublicService } from './public-service.ts';
import { personAt, rowOf, storeAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

/** By introspection, as a service would know. */
async function isActive(token: string): Promise<boolean> {
  const { clientId, clientSecret } = globus.resourceServer;
  const login = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  const reply = await fetch(globus.introspectionUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${login}` },
    body: new URLSearchParams({ token }),
  });
  const known: { active?: unknown } = Object(await reply.json());
  return known.active === true;
}

const noTokens = { access_token: '', refresh_token: null } as const;

describe('logout', () => {
  it('revokes the tokens of the store, and forgets them and the key', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn, store } = await personAt(globus, service.url);
    const diaspora = client();
    const { secretKey } = await diaspora.createKey();
    await client({ apiVersion: 'v1' }).createKey();
    const used = service.seen[0]?.headers.authorization?.slice('Bearer '.length) ?? '';
    expect(used).not.toBe(signedIn.accessToken);
    for (const token of [used, signedIn.accessToken, signedIn.refreshToken]) {
      expect(await isActive(token)).toBe(true);
    }
    await diaspora.logout();
    for (const token of [used, signedIn.accessToken, signedIn.refreshToken]) {
      expect(await isActive(token)).toBe(false);
    }
    expect(await store.readAll()).toEqual([]);
    const file = readFileSync(store.path, 'latin1');
    for (const secret of [secretKey, signedIn.refreshToken, signedIn.accessToken, 'made/']) {
      expect(file).not.toContain(secret);
    }
    // At the service the key stays: other machines use it.
    expect(service.keys.get(signedIn.subject)).toBeDefined();
    await expect(diaspora.listTopics()).rejects.toThrow(/request-token --save/);
    await diaspora.logout();
  });

  it('keeps what could not be revoked, and can be repeated', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn, env } = await personAt(globus, service.url, { isSaved: false });
    // One part of the store, whichever Globus Auth is asked.
    const named = { ...env, DIASPORA_SDK_ENVIRONMENT: 'shared' };
    const store = storeAt(globus, named);
    await store.write(rowOf(signedIn), { ...rowOf(signedIn, 'keyless'), ...noTokens });
    await client({ env: named }).putSecretKey('secret', { accessKey: 'AKIA1' });
    const offline = client({ env: { ...named, DIASPORA_ISSUER: 'http://127.0.0.1:9' } });
    await expect(offline.logout()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      retriable: true,
      message: expect.stringContaining('has not ended the token: ECONNREFUSED'),
    });
    expect((await store.readAll()).map((row) => row.resource_server)).toEqual([eventService]);
    expect(await client({ env: named }).getSecretKey()).toBe('secret');
    await client({ env: named }).logout();
    expect(await store.readAll()).toEqual([]);
    expect(await isActive(signedIn.refreshToken)).toBe(false);
  });

  it('asks Globus Auth for one token alone where that does not answer', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(503, { 'retry-after': '0' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const { signedIn, client, env } = await personAt(globus, globus.issuer, { isSaved: false });
    const down = {
      ...env,
      DIASPORA_SDK_ENVIRONMENT: 'shared',
      DIASPORA_ISSUER: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    };
    const store = storeAt(globus, down);
    await store.write(rowOf(signedIn), rowOf(signedIn, authService));
    await expect(client({ env: down }).logout()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
    });
    // It is asked again three times.
    expect(asked).toBe(4);
    expect(await store.readAll()).toHaveLength(2);
  });

  it('of a token that was given ends that, and leaves the store of another person alone', async () => {
    const service = await PublicService.start(globus);
    const { client, store } = await personAt(globus, service.url);
    const guest = await globus.signIn('guest@example.org');
    const before = await store.readAll();
    const { refreshToken, subject } = guest;
    const diaspora = client({ refreshToken, subject });
    await diaspora.retrieveKey();
    await diaspora.logout();
    expect(await isActive(refreshToken)).toBe(false);
    expect(await store.readAll()).toEqual(before);
    expect(await isActive(before[0]?.refresh_token ?? '')).toBe(true);
    expect(readFileSync(store.path, 'latin1')).not.toContain(`made/1/for+${subject}`);
  });

  it('ends what replaced a token that was given, too', async () => {
    await globus.set({ rotateRefreshTokens: true });
    const service = await PublicService.start(globus);
    const { client, signedIn, store } = await personAt(globus, service.url, { isSaved: false });
    const file = join(temporaryDirectory(), 'token');
    writeFileSync(file, signedIn.refreshToken);
    const { refreshToken, subject } = signedIn;
    const diaspora = client({ refreshToken, subject });
    await diaspora.listTopics();
    const next = (await store.readReplacement(refreshToken))?.refresh_token ?? '';
    expect(await isActive(next)).toBe(true);
    await diaspora.logout();
    expect(await isActive(next)).toBe(false);
    expect(store.isReplaced(refreshToken)).toBe(false);
  });

  it('leaves what replaced a token that was given where Globus Auth is out of reach, until that is forgotten', async () => {
    await globus.set({ rotateRefreshTokens: true });
    const service = await PublicService.start(globus);
    const { client, signedIn, store, env } = await personAt(globus, service.url, {
      isSaved: false,
    });
    const { refreshToken, subject } = signedIn;
    await client({ refreshToken, subject }).listTopics();
    const next = (await store.readReplacement(refreshToken))?.refresh_token ?? '';
    const down = { ...env, DIASPORA_ISSUER: 'http://127.0.0.1:9' };
    await expect(client({ env: down, refreshToken, subject }).logout()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
    });
    expect((await store.readReplacement(refreshToken))?.refresh_token).toBe(next);
    const auth = resolveDiaspora({ refreshToken }, down, false);
    expect(await replacedTokens(auth, store)).toEqual([refreshToken]);
    await forgetTokens(auth, store);
    expect(await replacedTokens(auth, store)).toEqual([]);
    expect(await store.readReplacement(refreshToken)).toBeNull();
    expect(readFileSync(store.path, 'latin1')).not.toContain(next);
  });

  it('forgets keys though Globus Auth cannot be asked who is signed in', async () => {
    const { signedIn, client, env } = await personAt(globus, globus.issuer, { isSaved: false });
    const down = { ...env, DIASPORA_ISSUER: 'http://127.0.0.1:9' };
    const store = storeAt({ ...globus, issuer: down.DIASPORA_ISSUER }, down);
    await client({ env: down }).putSecretKey('secret', { accessKey: 'AKIA1' });
    expect(await store.hasKeyRows()).toBe(true);
    // As the Python SDK's first versions write them.
    await store.write(
      { ...rowOf(signedIn), identity_id: null },
      { ...rowOf(signedIn, authService), identity_id: null },
    );
    await expect(client({ env: down }).logout()).rejects.toMatchObject({
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      retriable: true,
    });
    expect(await store.hasKeyRows()).toBe(false);
    expect(await store.readAll()).toHaveLength(2);
    await forgetTokens(resolveDiaspora({}, down, false), store);
    expect(await store.readAll()).toEqual([]);
  });

  it('of a token in a file ends that token', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn } = await personAt(globus, service.url, { isSaved: false });
    const refreshTokenFile = join(temporaryDirectory(), 'token');
    writeFileSync(refreshTokenFile, `${signedIn.refreshToken}\n`);
    const diaspora = client({ refreshTokenFile, subject: signedIn.subject });
    expect(await diaspora.listTopics()).toEqual([]);
    await diaspora.logout();
    expect(await isActive(signedIn.refreshToken)).toBe(false);
  });

  it('of a confidential client ends its access token', async () => {
    const service = await PublicService.start(globus);
    const { client, env } = await personAt(globus, service.url, { isSaved: false });
    const { clientId, clientSecret } = confidentialClient;
    const diaspora = client({
      env: { ...env, DIASPORA_SDK_CLIENT_ID: clientId, DIASPORA_SDK_CLIENT_SECRET: clientSecret },
    });
    expect(await diaspora.subjectOpenid()).toBe(clientId);
    expect(await diaspora.listTopics()).toEqual([]);
    const token = service.seen[0]?.headers.authorization?.slice('Bearer '.length) ?? '';
    expect(await isActive(token)).toBe(true);
    await diaspora.logout();
    expect(await isActive(token)).toBe(false);
  });
});

describe('a refresh token that Globus Auth replaces', () => {
  it('takes nothing from the row that it shares with the key', async () => {
    await globus.set({ rotateRefreshTokens: true });
    const service = await PublicService.start(globus);
    const { client, signedIn, store } = await personAt(globus, service.url);
    await client({ apiVersion: 'v1' }).putSecretKey('password');
    await client({ apiVersion: 'v1' }).listTopics();
    const row = await store.read(eventService);
    expect(row?.refresh_token).not.toBe(signedIn.refreshToken);
    expect(row?.extra).toEqual({ secret_key: 'password' });
    expect(await client({ apiVersion: 'v1' }).getSecretKey()).toBe('password');
    expect((await store.read(authService))?.refresh_token).toBe(signedIn.refreshToken);
  });
});
