/** Who asks the Diaspora service: a Globus subject, looked up when it is first needed. */
import { authService, eventService } from '../auth/globus-service.ts';
import { askOwner } from '../auth/openid-token.ts';
import type { StoredTokens, TokenStore } from '../auth/token-store.ts';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import type { Environment, ResolvedDiaspora } from '../options.ts';
import { readStore, unreadableStore } from './read-store.ts';

export interface SubjectOptions {
  readonly auth: ResolvedDiaspora;
  readonly store: TokenStore;
  readonly requestTimeoutMs: number;
  readonly env: Environment;
}

/**
 * In order: what the options or `DIASPORA_SUBJECT` say; the id of a confidential client that signs in as itself (Globus Auth gives
 * a client an identity of the same id); who signed in, as the token store has it, where its refresh token is used; and whom Globus Auth names for the
 * token with the scope `openid` that is stored there. Null where none of them says.
 */
export async function findSubject(options: SubjectOptions): Promise<string | null> {
  const { auth, store } = options;
  if (auth.subject !== null) return auth.subject;
  const { oauthClientId, oauthClientSecret } = auth.globus;
  if (oauthClientSecret !== undefined && !isGiven(auth)) return oauthClientId;
  const shared = await readStore(store, () => store.read(eventService));
  if (!isOfStore(auth, store, shared)) return null;
  if (shared?.identity_id) return shared.identity_id;
  const openid = await readStore(store, () => store.read(authService));
  if (openid === null) return null;
  const subject =
    openid.identity_id ??
    (await askOwner(openid, store, { ...options, auth: auth.globus }))?.subject ??
    null;
  // The Python SDK's first versions do not write it down.
  if (subject !== null && shared !== null) await keepSubject(store, shared, subject);
  return subject;
}

/**
 * Whether who asks is who signed in to the token store: no refresh token is given, or it is the store's own, which may have replaced it
 * since. Of another one the store knows nothing, and the person that it knows is not taken for its owner. Throws as `readStore` does.
 */
export function isOfStore(
  auth: ResolvedDiaspora,
  store: TokenStore,
  shared: StoredTokens | null,
): boolean {
  const { refreshToken, refreshTokenFile } = auth.globus;
  if (refreshToken === undefined) return refreshTokenFile === undefined;
  try {
    return shared !== null && store.standsFor(refreshToken, shared.refresh_token);
  } catch (error) {
    throw unreadableStore(store, error);
  }
}

/** Whether a row of the event service's tokens is this person's. globus_sdk 3 does not say whose a row is: then it is whose sign-in is used. */
export function isRowOf(
  { auth, store }: Pick<SubjectOptions, 'auth' | 'store'>,
  subject: string | null,
  row: StoredTokens,
): boolean {
  return row.identity_id === null ? isOfStore(auth, store, row) : row.identity_id === subject;
}

const isGiven = ({ globus }: ResolvedDiaspora): boolean =>
  globus.refreshToken !== undefined || globus.refreshTokenFile !== undefined;

/** For whoever cannot do without. */
export function unknownSubject(auth: ResolvedDiaspora): AuthenticationError | ConfigurationError {
  if (isGiven(auth)) {
    return new ConfigurationError(
      'A refresh token does not tell whose it is: set the option "auth.subject" or the environment variable DIASPORA_SUBJECT to the subject claim that came with it.',
      'auth.subject',
    );
  }
  return new AuthenticationError(
    'SUBJECT_UNKNOWN',
    'Nobody has signed in here, as far as the token store tells: run "npx diaspora-logger request-token --save". Where only a key is used that was made elsewhere, set DIASPORA_SUBJECT to its owner\'s subject claim.',
    false,
  );
}

/** `ns-` and the last twelve hex digits: the namespace that the service makes for everybody. */
export const namespaceOf = (subject: string): string =>
  `ns-${subject.replaceAll('-', '').slice(-12)}`;

/** In the row that was looked at: somebody else may have signed in meanwhile. */
async function keepSubject(
  store: TokenStore,
  { refresh_token }: StoredTokens,
  subject: string,
): Promise<void> {
  const write = store.update((row) =>
    row === null || row.identity_id !== null || row.refresh_token !== refresh_token
      ? null
      : { ...row, identity_id: subject },
  );
  // It is asked for again next time.
  await write.catch(() => false);
}
