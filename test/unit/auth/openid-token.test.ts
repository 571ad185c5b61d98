/** Whose a row of the token store is, and that row while somebody else writes there. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { authService } from '../../../src/auth/globus-service.ts';
import { askOwner } from '../../../src/auth/openid-token.ts';
import { type StoredTokens, TokenStore } from '../../../src/auth/token-store.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';
import { reply, scriptedEndpoint } from './scripted-endpoint.ts';
import { temporaryDirectory } from './signed-in.ts';

const row = (more: Partial<StoredTokens> = {}): StoredTokens => ({
  resource_server: authService,
  identity_id: null,
  scope: 'openid',
  access_token: 'ended',
  refresh_token: 'first',
  expires_at_seconds: 0,
  token_type: 'Bearer',
  ...more,
});

const inAnHour = () => ({ expires_at_seconds: Math.floor(Date.now() / 1000) + 3_600 });

const authOf = (issuer: string) => ({
  type: 'globus' as const,
  issuer,
  refreshTokenFrom: 'option' as const,
  oauthClientId: nativeAppClientId,
});

/** Asks for the token of a stored row that has ended; `meanwhile` happens before Globus Auth answers. */
async function renewed(meanwhile: (store: TokenStore) => Promise<void> = async () => {}) {
  const env = { DIASPORA_USER_DIR: temporaryDirectory() };
  const { issuer } = await scriptedEndpoint(async () => {
    await meanwhile(store);
    // To whoever buys a token, and to whoever asks for its owner.
    return reply({ resource_server: authService, refresh_token: 'second', sub: 'me' });
  });
  const auth = authOf(issuer);
  const store = new TokenStore({ ...auth, isService: false, env });
  await store.write(row());
  const owner = await askOwner(row(), store, { auth, requestTimeoutMs: 5_000, env });
  return { owner, stored: await store.read(authService) };
}

describe('a token with the scope openid', () => {
  it('is renewed where it has ended, and stored with the refresh token that came with it', async () => {
    const { owner, stored } = await renewed();
    expect(owner?.subject).toBe('me');
    expect(stored).toMatchObject({ access_token: 'access', refresh_token: 'second' });
  });

  it('does not come back after somebody has signed out meanwhile', async () => {
    expect((await renewed((store) => store.forget(authService))).stored).toBeNull();
  });

  it('does not take the place of the sign-in of somebody else', async () => {
    const other = row({ identity_id: 'somebody else', refresh_token: 'theirs' });
    expect((await renewed((store) => store.write(other))).stored).toEqual(other);
  });

  it('is that which another process has bought, where that one was first', async () => {
    const env = { DIASPORA_USER_DIR: temporaryDirectory() };
    const { issuer, sent } = await scriptedEndpoint(async (refreshToken) => {
      if (refreshToken === '') return { sub: 'me' };
      // It writes down what it got while this one is refused, or a little later.
      written = delay(100).then(() =>
        store.write(row({ access_token: 'theirs', refresh_token: 'second', ...inAnHour() })),
      );
      return null;
    });
    let written = Promise.resolve();
    const auth = authOf(issuer);
    const store = new TokenStore({ ...auth, isService: false, env });
    await store.write(row());
    const owner = await askOwner(row(), store, { auth, requestTimeoutMs: 5_000, env });
    await written;
    expect(owner?.subject).toBe('me');
    expect(sent.filter((token) => token !== '')).toEqual(['first']);
  });
});
