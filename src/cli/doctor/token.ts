/** What is shown to the brokers: can it be had, whose is it, and how long is it good. */
import { stat } from 'node:fs/promises';
import { eventService } from '../../auth/globus-service.ts';
import { type SignedIn, whoIsSignedIn } from '../../auth/signed-in.ts';
import { openTokenSource } from '../../auth/token-source.ts';
import { storeOf } from '../../auth/token-store.ts';
import { Diagnostics } from '../../diagnostics.ts';
import { AuthenticationError, systemErrorCode } from '../../errors.ts';
import type { Environment, ResolvedConnection, ResolvedGlobus } from '../../options.ts';
import { type Finding, ok, skipped, warning } from './examination.ts';

/** Of one request to Globus Auth, in milliseconds: it is tried four times at most. */
const requestTimeoutMs = 4_000;

/** A token that ends so soon, in milliseconds, was not renewed in time. */
const soonMs = 60_000;

/** Globus's part of a sign-in; null where it has none. */
export function globusOf({ auth }: ResolvedConnection): ResolvedGlobus | null {
  if (auth.type === 'globus') return auth;
  return auth.type === 'diaspora' ? auth.globus : null;
}

/** The store is read, and its permissions are put right by that: they are looked at before. */
export async function examineStore(
  options: ResolvedConnection,
  env: Environment,
): Promise<Finding<true>> {
  const globus = globusOf(options);
  if (globus === null) return skipped(`not used: auth is ${options.auth.type}`);
  const store = storeOf(globus, env);
  if (store.directory === null) {
    return warning(true, {
      text: 'there is no place for it: neither DIASPORA_USER_DIR nor HOME is set',
      advice:
        'Set DIASPORA_USER_DIR to a directory: a refresh token that Globus replaces is kept there.',
    });
  }
  const { path } = store;
  const before = await stat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw unreadable(path, systemErrorCode(error));
  });
  if (before === null) return skipped(`${path} is not there: nobody has used --save here`);
  const mode = before.mode & 0o777;
  const row = await store.read(eventService).catch((error: unknown) => {
    throw unreadable(path, systemErrorCode(error) ?? (error instanceof Error ? error.message : ''));
  });
  const what = row?.refresh_token ? 'holds a refresh token' : 'holds no refresh token';
  const octal = mode.toString(8).padStart(4, '0');
  if ((mode & 0o077) === 0) return ok(true, `${path}, mode ${octal}, ${what}`);
  const after = (await stat(path)).mode & 0o777;
  return warning(true, {
    text: `${path} ${what}, and was open to others (mode ${octal})`,
    advice:
      (after & 0o077) === 0
        ? 'It is mode 0600 now. If others use this machine, sign in anew: they may have read it.'
        : `chmod 600 ${path}, and sign in anew: others may have read it.`,
  });
}

function unreadable(path: string, why: string | null): AuthenticationError {
  return new AuthenticationError(
    'TOKEN_STORE_UNUSABLE',
    `The token store ${path} cannot be read (${why ?? 'no code'}). Make it readable for this account, or move it away and sign in anew.`,
    false,
  );
}

/** Throws `AuthenticationError`, also where there is none. */
export async function examineToken(
  options: ResolvedConnection,
  env: Environment,
): Promise<Finding<true>> {
  const { auth } = options;
  switch (auth.type) {
    case 'globus':
      return describe(await whoIsSignedIn({ auth, requestTimeoutMs, env }));
    case 'diaspora':
      return describe(await whoIsSignedIn({ auth: auth.globus, requestTimeoutMs, env }));
    case 'token':
    case 'aws-iam': {
      const source = openTokenSource({
        auth,
        diagnostics: new Diagnostics(),
        requestTimeoutMs,
        env,
      });
      const { expiresAt } = await source.token().finally(() => source.close());
      const how =
        auth.type === 'token' ? `the module ${auth.module} gives one` : `signed for ${auth.region}`;
      return lifeOf(expiresAt, how);
    }
    case 'scram':
      return ok(true, `user ${JSON.stringify(auth.username)}, ${auth.mechanism}, with a password`);
    case 'mtls':
      return ok(true, 'a client certificate: see TLS and Sign-in');
    case 'none':
      return ok(true, 'none: nobody signs in');
  }
}

function describe({ person, place, isReplaced, scopes, expiresAt }: SignedIn): Finding<true> {
  const whose =
    person === null
      ? 'whose it is, this refresh token does not tell'
      : `${person.username ?? 'of'} (subject ${person.subject})`;
  const from = {
    option: 'the options',
    environment: 'DIASPORA_REFRESH',
    file: 'the file',
    store: 'the token store',
    client: "the client's own secret",
  }[place];
  const replaced = isReplaced ? ', replaced by Globus: the token store has the new one' : '';
  const scope = scopes.length === 0 ? '' : `; scope ${scopes.join(' ')}`;
  return lifeOf(expiresAt, `${whose}; from ${from}${replaced}${scope}`);
}

function lifeOf(expiresAt: number, what: string): Finding<true> {
  const left = expiresAt - Date.now();
  const text = `good for ${lifeText(left)}; ${what}`;
  if (left > soonMs) return ok(true, text);
  return warning(true, { text, advice: "Check this machine's clock: see Clock." });
}

/** Such as `47 h 59 min`. */
export function lifeText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1_000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
