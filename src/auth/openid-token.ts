/** An access token that says whose it is: it has the scope `openid`, and a row of its own in the token store. */
import { AuthenticationError } from '../errors.ts';
import type { Environment, ResolvedGlobus } from '../options.ts';
import { authService } from './globus-service.ts';
import { TokenEndpoint } from './token-endpoint.ts';
import { tokensFor } from './token-reply.ts';
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

/** The row's access token, or a new one, which is stored: the old refresh token may have ended with it. Null where it has none that is good. */
async function openidToken(
  row: StoredTokens,
  store: TokenStore,
  { auth, requestTimeoutMs, env }: OwnerOptions,
): Promise<string | null> {
  if (row.expires_at_seconds * 1000 - Date.now() > lastMomentsMs) return row.access_token;
  if (!row.refresh_token) return null;
  const { issuer, oauthClientId, oauthClientSecret } = auth;
  const endpoint = new TokenEndpoint({
    issuer,
    oauthClientId,
    requestTimeoutMs,
    env,
    ...(oauthClientSecret !== undefined && { oauthClientSecret }),
  });
  const reply = await endpoint.refresh(row.refresh_token).catch((error: unknown) => {
    if (error instanceof AuthenticationError && error.code === 'INVALID_GRANT') return null;
    throw error;
  });
  const tokens = reply && tokensFor(reply, authService);
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
