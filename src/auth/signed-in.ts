/** Who is signed in with Globus, and by what: asked of Globus Auth, and of the token store. */
import { Diagnostics } from '../diagnostics.ts';
import type { Environment, ResolvedGlobus } from '../options.ts';
import { authService, eventService } from './globus-service.ts';
import { askOwner } from './openid-token.ts';
import { isPlace, RefreshTokenOrigin, type RefreshTokenPlace } from './refresh-token-origin.ts';
import { openTokenSource } from './token-source.ts';
import { type StoredTokens, storeOf, type TokenStore } from './token-store.ts';
import type { Userinfo } from './userinfo.ts';
import { waitedFor } from './waited-for.ts';

export interface SignedIn {
  /** What the access token was bought with: `client` is a confidential client's own secret. */
  readonly place: RefreshTokenPlace | 'client';
  /** Whether the token of that place was replaced by Globus Auth, and the token store holds the new one. */
  readonly isReplaced: boolean;
  /** Path of the token store; null where there is no place for one. */
  readonly store: string | null;
  /** What the access token is good for. */
  readonly scopes: readonly string[];
  /** End of the access token, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Null where that cannot be known: a token of the event service alone does not say whose it is. */
  readonly person: Userinfo | null;
}

export interface SignedInOptions {
  readonly auth: ResolvedGlobus;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
  readonly env: Environment;
}

/**
 * Buys an access token, as every client does. Throws `AuthenticationError` where that cannot be done. A call that waits keeps
 * the process alive.
 */
export function whoIsSignedIn(options: SignedInOptions): Promise<SignedIn> {
  return waitedFor(askAll(options));
}

async function askAll(options: SignedInOptions): Promise<SignedIn> {
  const { auth, requestTimeoutMs, env } = options;
  let scope = '';
  /** Unknown where another of this process has bought the token before. */
  let configured: unknown;
  const diagnostics = new Diagnostics(({ code, detail }) => {
    if (code !== 'TOKEN_REFRESHED') return;
    scope = String(detail['scope'] ?? '');
    configured = detail['configured'];
  });
  const source = openTokenSource({ auth, diagnostics, requestTimeoutMs, env });
  const { expiresAt } = await source.token().finally(() => source.close());
  const store = storeOf(auth, env);
  const origin = new RefreshTokenOrigin(auth, store);
  // Not the first of all places, where it is known: its token may have been refused.
  const found = await (isPlace(configured) ? origin.at(configured) : origin.find(() => false));
  return {
    store: store.directory && store.path,
    place: found?.configured.place ?? 'client',
    isReplaced: found !== null && found.place !== found.configured.place,
    scopes: scope.split(' ').filter((one) => one !== ''),
    expiresAt,
    person: found === null ? clientOf(auth) : await personOf(found.value, store, options),
  };
}

/** Globus Auth gives a client an identity of the same id: https://docs.globus.org/api/auth/developer-guide/#service_identity */
const clientOf = ({ oauthClientId }: ResolvedGlobus): Userinfo => ({
  subject: oauthClientId,
  username: `${oauthClientId}@clients.auth.globus.org`,
  identityProvider: null,
});

/** By the store's other row: its token has the scope `openid`. A refresh token from elsewhere may be somebody else's. */
async function personOf(
  refreshToken: string,
  store: TokenStore,
  options: SignedInOptions,
): Promise<Userinfo | null> {
  if (store.directory === null) return null;
  const read = (name: string): Promise<StoredTokens | null> => store.read(name).catch(() => null);
  const own = await read(eventService);
  if (own === null || own.refresh_token !== refreshToken) return null;
  const stored: Userinfo | null = own.identity_id
    ? { subject: own.identity_id, username: null, identityProvider: null }
    : null;
  const openid = await read(authService);
  const asked = openid && askOwner(openid, store, options);
  // Without Globus Auth the store still says who it is, if not by which name.
  return (await (stored === null ? asked : asked?.catch(() => null))) ?? stored;
}
