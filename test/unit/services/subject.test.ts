/** Who asks the Diaspora service, and what becomes of the token store meanwhile. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { authService, eventService } from '../../../src/auth/globus-service.ts';
import { type StoredTokens, TokenStore } from '../../../src/auth/token-store.ts';
import { resolveDiaspora } from '../../../src/options/auth.ts';
import { DiasporaClient } from '../../../src/services/diaspora-client.ts';
import { findSubject } from '../../../src/services/subject.ts';
import { reply, scriptedEndpoint } from '../auth/scripted-endpoint.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

const subject = '0f4c1b1e-0000-4000-8000-000000000001';

/** As globus_sdk 3 writes it. */
const row = (resourceServer: string, refreshToken: string): StoredTokens => ({
  resource_server: resourceServer,
  identity_id: null,
  scope: '',
  access_token: 'access',
  refresh_token: refreshToken,
  expires_at_seconds: Math.floor(Date.now() / 1000) + 3_600,
  token_type: 'Bearer',
});

/** A client with a token store of its own, which ends with the test. */
function clientAt(issuer: string, more: Record<string, string> = {}) {
  const env = { DIASPORA_USER_DIR: temporaryDirectory(), DIASPORA_ISSUER: issuer, ...more };
  const client = new DiasporaClient({ env });
  onTestFinished(() => client.close());
  const { oauthClientId } = resolveDiaspora({}, env, false).globus;
  return { client, store: new TokenStore({ issuer, oauthClientId, isService: false, env }) };
}

/** Looks it up in a store that does not name it; `meanwhile` happens before Globus Auth answers. */
async function found(meanwhile: (store: TokenStore) => Promise<void>) {
  const { issuer } = await scriptedEndpoint(async () => {
    await meanwhile(store);
    return { sub: subject };
  });
  const env = { DIASPORA_USER_DIR: temporaryDirectory(), DIASPORA_ISSUER: issuer };
  const auth = resolveDiaspora({}, env, false);
  const { oauthClientId } = auth.globus;
  const store = new TokenStore({ issuer, oauthClientId, isService: false, env });
  await store.write(row(eventService, 'first'), row(authService, 'openid'));
  expect(await findSubject({ auth, store, requestTimeoutMs: 5_000, env })).toBe(subject);
  return store.read(eventService);
}

describe('a subject that Globus Auth names', () => {
  it('is written down', async () => {
    expect((await found(async () => {}))?.identity_id).toBe(subject);
  });

  it('is not given to somebody else, who signed in meanwhile', async () => {
    const other = row(eventService, 'theirs');
    expect(await found((store) => store.write(other))).toEqual(other);
  });
});

it("stays known after the refresh token that is the store's own and given as well was replaced", async () => {
  const { issuer } = await scriptedEndpoint(() => null);
  const env = {
    DIASPORA_USER_DIR: temporaryDirectory(),
    DIASPORA_ISSUER: issuer,
    DIASPORA_REFRESH: 'first',
  };
  const auth = resolveDiaspora({}, env, false);
  const { oauthClientId } = auth.globus;
  const store = new TokenStore({ issuer, oauthClientId, isService: false, env });
  const own = { ...row(eventService, 'first'), identity_id: subject };
  await store.write(own);
  await store.updateReplacement('first', (present) => ({
    ...(present ?? own),
    refresh_token: 'second',
  }));
  expect((await store.read(eventService))?.refresh_token).toBe('second');
  expect(await findSubject({ auth, store, requestTimeoutMs: 5_000, env })).toBe(subject);
});

it('is looked up once where several ask at once, and the refresh token is sent once', async () => {
  let live = 'r0';
  const { issuer, sent } = await scriptedEndpoint((refreshToken) => {
    if (refreshToken === '') return { sub: subject };
    if (refreshToken !== live) return null;
    live = `${live}+`;
    return reply({ resource_server: authService, refresh_token: live });
  });
  const { client, store } = clientAt(issuer);
  const ended = { ...row(authService, 'r0'), expires_at_seconds: 0 };
  await store.write(row(eventService, 'first'), ended);
  const asked = [client.subjectOpenid(), client.subjectOpenid(), client.namespace()];
  expect(new Set(await Promise.all(asked)).size).toBe(2);
  expect(sent.filter((token) => token !== '')).toEqual(['r0']);
});

describe("the owner of a refresh token that is given and the store's own", () => {
  /** The token was replaced twice: the row before the second time is `second`, after it `third`. */
  async function replacedTwice() {
    const { issuer } = await scriptedEndpoint(() => null);
    const { client, store } = clientAt(issuer, { DIASPORA_REFRESH: 'first' });
    const own = { ...row(eventService, 'first'), identity_id: subject };
    await store.write(own);
    for (const next of ['second', 'third']) {
      await store.updateReplacement('first', (present) => ({
        ...(present ?? own),
        refresh_token: next,
      }));
    }
    return { client, store, own };
  }

  it('is known to whoever still sees the row of before, as where the last was not committed', async () => {
    const { client, store, own } = await replacedTwice();
    await store.write({ ...own, refresh_token: 'second' });
    expect(await client.subjectOpenid()).toBe(subject);
    await store.write({ ...own, refresh_token: 'of somebody else' });
    expect(store.standsFor('first', 'of somebody else')).toBe(false);
  });

  it('is not known where what replaced it cannot be read, which says what to do', async () => {
    const { client, store } = await replacedTwice();
    const directory = store.directory ?? '';
    const marker = readdirSync(directory).find((name) => name.startsWith('replaced-')) ?? '';
    // Not even root reads a directory as a file.
    rmSync(join(directory, marker));
    mkdirSync(join(directory, marker));
    const calls = [
      () => client.subjectOpenid(),
      () => client.getSecretKey(),
      () => client.logout(),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'TOKEN_STORE_UNUSABLE',
        message: expect.stringMatching(/storage\.db cannot be read \(EISDIR/),
      });
    }
  });
});

describe('a stored key of v3', () => {
  const key = { secret_key: 'secret', access_key: 'AKIA1', endpoint: 'b:9098' };

  it('is had without asking whose the row is, where that does not say it', async () => {
    const { issuer, sent } = await scriptedEndpoint(() => ({ sub: subject }));
    const { client, store } = clientAt(issuer);
    await store.write({ ...row(eventService, 'first'), extra: key }, row(authService, 'openid'));
    expect(await client.getSecretKey()).toBe('secret');
    expect(sent).toEqual([]);
  });

  it('is not had from the row of another person than the options name', async () => {
    const { issuer } = await scriptedEndpoint(() => null);
    const { client, store } = clientAt(issuer, { DIASPORA_SUBJECT: subject });
    const theirs = { ...row(eventService, 'first'), identity_id: 'somebody else', extra: key };
    await store.write(theirs);
    expect(await client.getSecretKey()).toBeNull();
    await store.write({ ...theirs, identity_id: subject });
    expect(await client.getSecretKey()).toBe('secret');
  });
});
