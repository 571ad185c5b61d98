/** An access token that says whose it is: it has the scope `openid`, and a row of its own in the token store. */
import { setTimeout as delay } from 'node:timers/promises';
import { AuthenticationError } from '../errors.ts';
import type { Environment, ResolvedGlobus } from '../options.ts';
import { lookingAgain } from './globus-identity.ts';
import { authService } from './globus-service.ts';
import { TokenEndpoint } from './token-endpoint.ts';
import { type GlobusTokens, tokensFor } from './token-reply.ts';
import type { StoredTokens, TokenStore } from './token-store.ts';
import { askWhoHolds, type Userinfo } from './userinfo.ts';

/** A token this close to its end, in milliseconds, is not used any more. */
const lastMomentsMs = 10_000;

export interface OwnerOptions {
  readonly auth: ResolvedGlobus;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
  readonly env: Environment;
}

/**
 * Whose the row is, as Globus Auth tells; null where it does not, or the row has no good token. Throws `AuthenticationError` where
 * Globus Auth cannot be asked.
 */
export async function askOwner(
  row: StoredTokens,
  store: TokenStore,
  options: OwnerOptions,
): Promise<Userinfo | null> {
  const { auth, requestTimeoutMs: timeoutMs, env } = options;
  const token = await openidToken(row, store, options);
  return token === null ? null : askWhoHolds(auth.issuer, token, { env, timeoutMs });
}

/**
 * The row's access token, or a new one, which is stored: the old refresh token may have ended with it. Where another process was
 * first, it is that one's. Null where the row has none that is good.
 */
async function openidToken(
  row: StoredTokens,
  store: TokenStore,
  options: OwnerOptions,
): Promise<string | null> {
  if (row.expires_at_seconds * 1000 - Date.now() > lastMomentsMs) return row.access_token;
  if (!row.refresh_token) return null;
  const tokens = await buy(row.refresh_token, options);
  if (tokens === 'refused') {
    const renewed = await renewedElsewhere(row, store);
    return renewed && openidToken(renewed, store, options);
  }
  if (tokens === null) return null;
  const renew = (present: StoredTokens | null): StoredTokens | null =>
    // Somebody may have signed in or out meanwhile.
    present === null || present.refresh_token !== row.refresh_token
      ? null
      : {
          ...present,
          access_token: tokens.accessToken,
          refresh_token: tokens.refreshToken ?? present.refresh_token,
          expires_at_seconds: Math.floor(tokens.expiresAt / 1000),
        };
  // A store that cannot be written costs another request the next time.
  await store.update(renew, row.resource_server).catch(() => false);
  return tokens.accessToken;
}

/** The row once another process has renewed it, which may be about to write that down. Somebody else's sign-in does not say whose the row was. */
async function renewedElsewhere(
  row: StoredTokens,
  store: TokenStore,
): Promise<StoredTokens | null> {
  for (let look = 0; look <= lookingAgain.times; look += 1) {
    if (look > 0) await delay(lookingAgain.everyMs, undefined, { ref: false });
    const present = await store.read(row.resource_server).catch(() => null);
    if (present === null || present.identity_id !== row.identity_id) return null;
    if (present.refresh_token !== row.refresh_token) return present;
  }
  return null;
}

/** Null where the reply has no such token. */
async function buy(
  refreshToken: string,
  { auth, requestTimeoutMs, env }: OwnerOptions,
): Promise<GlobusTokens | 'refused' | null> {
  const { issuer, oauthClientId, oauthClientSecret } = auth;
  const endpoint = new TokenEndpoint({
    issuer,
    oauthClientId,
    requestTimeoutMs,
    env,
    ...(oauthClientSecret !== undefined && { oauthClientSecret }),
  });
  try {
    return tokensFor(await endpoint.refresh(refreshToken), authService);
  } catch (error) {
    if (error instanceof AuthenticationError && error.code === 'INVALID_GRANT') return 'refused';
    throw error;
  }
}
