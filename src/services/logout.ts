/** Ends a sign-in: tokens are revoked at Globus Auth, and what this machine keeps is forgotten. */
import { reasonOf } from '../auth/failure-reason.ts';
import { eventService } from '../auth/globus-service.ts';
import { revokeToken } from '../auth/revoke.ts';
import { forgetKeys } from '../auth/stored-key.ts';
import { TokenFile } from '../auth/token-file.ts';
import type { StoredTokens } from '../auth/token-store.ts';
import { AuthenticationError } from '../errors.ts';
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
  { store, requests }: ServiceSession,
  subject: string | null,
): Promise<void> {
  const { issuer, oauthClientId, oauthClientSecret, refreshToken, refreshTokenFile } = auth.globus;
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

  const shared = await readStore(store, () => store.read(eventService));
  const rows: readonly StoredTokens[] = isOfStore(auth, store, shared)
    ? ((await readStore(store, () => store.readAll())) ?? [])
    : [];
  for (const row of rows) {
    await attempt(async () => {
      await revoke(row.refresh_token, row.access_token);
      await store.forget(row.resource_server);
    });
  }
  for (const given of await givenTokens(refreshToken, refreshTokenFile, attempt)) {
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

async function givenTokens(
  refreshToken: string | undefined,
  file: string | undefined,
  attempt: (action: () => Promise<void>) => Promise<void>,
): Promise<string[]> {
  const given = refreshToken === undefined ? [] : [refreshToken];
  if (file !== undefined) {
    await attempt(async () => {
      given.push(await new TokenFile(file).read());
    });
  }
  return given;
}
