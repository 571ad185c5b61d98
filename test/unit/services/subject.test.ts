/** Who asks the Diaspora service, and what becomes of the token store meanwhile. */
import { describe, expect, it } from 'vitest';
import { authService, eventService } from '../../../src/auth/globus-service.ts';
import { type StoredTokens, TokenStore } from '../../../src/auth/token-store.ts';
import { resolveDiaspora } from '../../../src/options/auth.ts';
import { findSubject } from '../../../src/services/subject.ts';
import { scriptedEndpoint } from '../auth/scripted-endpoint.ts';
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
