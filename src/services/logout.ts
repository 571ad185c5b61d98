/** Ends a sign-in: tokens are revoked at Globus Auth, and what this machine keeps is forgotten. */
import { reasonOf } from '../auth/failure-reason.ts';
import { eventService } from '../auth/globus-service.ts';
import { revokeToken } from '../auth/revoke.ts';
import { forgetKeys } from '../auth/stored-key.ts';
import { TokenFile } from '../auth/token-file.ts';
import type { StoredTokens, TokenStore } from '../auth/token-store.ts';
import { AuthenticationError } from '../errors.ts';
import type { ResolvedDiaspora } from '../options.ts';
import type { ResolvedClient } from './client-options.ts';
import { readStore } from './read-store.ts';
import type { ServiceSession } from './service-session.ts';
import { isOfStore } from './subject.ts';

/**
 * Revokes the refresh token, whatever replaced it, and the access tokens; a row of the token store goes, with the service key in
 * it, once its tokens are revoked. Rows of another person stay. Throws `AuthenticationError`: what could not be revoked is still there, and the
 * call can be repeated.
 */
export async function logOut(
  { auth, requestTimeoutMs, env }: ResolvedClient,
  session: ServiceSession,
): Promise<void> {
  const { store, requests } = session;
  const { issuer, oauthClientId, oauthClientSecret } = auth.globus;
  /** Where Globus Auth was asked in vain: it is not asked for each token that it does not answer. */
  let outOfReach: unknown = null;
  const failures: unknown[] = [];
  const revoke = async (...tokens: (string | null)[]): Promise<void> => {
    for (const token of tokens) {
      if (!token) continue;
      // Each takes long where Globus Auth is out of reach, and would fail as well.
      if (outOfReach !== null) throw outOfReach;
      await revokeToken(token, {
        issuer,
        oauthClientId,
        timeoutMs: requestTimeoutMs,
        env,
        ...(oauthClientSecret !== undefined && { oauthClientSecret }),
      }).catch((error: unknown) => {
        if (error instanceof AuthenticationError && error.retriable) outOfReach = error;
        throw error;
      });
    }
  };
  const attempt = (action: () => Promise<void>): Promise<void> =>
    action().catch((error: unknown) => void failures.push(error));

  const subject = await session.subject().catch((error: unknown) => {
    const isOutage =
      error instanceof AuthenticationError && error.code === 'TOKEN_ENDPOINT_UNAVAILABLE';
    if (!isOutage) throw error;
    if (error.retriable) outOfReach = error;
    // Whose key it was stays unknown: that is not all, but the rest can be forgotten.
    failures.push(error);
    return null;
  });
  for (const row of await ownRows(auth, store)) {
    await attempt(async () => {
      await revoke(row.refresh_token, row.access_token);
      await store.forget(row.resource_server);
    });
  }
  for (const given of await givenTokens(auth, attempt)) {
    await attempt(async () => {
      const replacement = await readStore(store, () => store.readReplacement(given));
      await revoke(replacement?.refresh_token ?? null, replacement?.access_token ?? null, given);
      if (replacement !== null) await store.forgetReplacement(given);
    });
  }
  await attempt(() => revoke(requests.lastToken));
  if (store.directory !== null) {
    await attempt(() => forgetKeys(store, subject));
    // Put there before anybody had signed in.
    await attempt(() => forgetKeys(store, null));
  }
  const [first] = failures;
  if (first instanceof AuthenticationError) throw first;
  if (first !== undefined) {
    throw new AuthenticationError(
      'TOKEN_STORE_UNUSABLE',
      `Not everything is forgotten (${reasonOf(first)}): what is left is in the token store ${store.path}.`,
      false,
      { cause: first },
    );
  }
}

/** Forgets the tokens that `logOut` has left since they could not be revoked. Asks nobody. Throws as `ownRows` does, or the system's error. */
export async function forgetTokens(auth: ResolvedDiaspora, store: TokenStore): Promise<void> {
  for (const row of await ownRows(auth, store)) await store.forget(row.resource_server);
  for (const replaced of await replacedTokens(auth, store)) await store.forgetReplacement(replaced);
}

/** Rows of whoever signs in so: none where the token store is another person's than the refresh token that is set. Throws as `readStore` does. */
export async function ownRows(
  auth: ResolvedDiaspora,
  store: TokenStore,
): Promise<readonly StoredTokens[]> {
  const shared = await readStore(store, () => store.read(eventService));
  if (!isOfStore(auth, store, shared)) return [];
  return (await readStore(store, () => store.readAll())) ?? [];
}

/** Refresh tokens that options, environment or file name, and for which the token store holds another. */
export async function replacedTokens(auth: ResolvedDiaspora, store: TokenStore): Promise<string[]> {
  // A file that cannot be read is spoken of by whoever must read it.
  const given = await givenTokens(auth, (read) => read().catch(() => {}));
  return given.filter((token) => store.isReplaced(token));
}

async function givenTokens(
  { globus: { refreshToken, refreshTokenFile: file } }: ResolvedDiaspora,
  attempt: (read: () => Promise<void>) => Promise<void>,
): Promise<string[]> {
  const given = refreshToken === undefined ? [] : [refreshToken];
  if (file !== undefined) {
    await attempt(async () => {
      given.push(await new TokenFile(file).read());
    });
  }
  return given;
}
