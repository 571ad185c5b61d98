/** `diaspora-logger whoami`: who is signed in, by what, and for how long. */
import { Command } from 'commander';
import type { SignedIn } from '../auth/signed-in.ts';
import { AuthenticationError } from '../errors.ts';
import type { ResolvedDiaspora } from '../options.ts';
import type { ServiceKey } from '../services/diaspora-client.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { printJson, printTable } from './output.ts';
import {
  addIssuerFlag,
  requestTimeoutOf,
  type ServiceFlags,
  serviceAuth,
} from './service-flags.ts';
import { storedKeys } from './stored-keys.ts';

export function whoamiCommand(): Command {
  return addIssuerFlag(new Command('whoami'))
    .description('Print who is signed in, by what, and for how long.')
    .addHelpText(
      'after',
      `
It buys an access token, as every client does: what it prints works. Without a sign-in it exits with 3 and says
what to do. No secret is printed.

Examples:
  $ diaspora-logger whoami
  $ diaspora-logger whoami --json | jq -r .subject
${exitCodesHelp}`,
    )
    .action(run);
}

async function run(flags: ServiceFlags): Promise<void> {
  const auth = serviceAuth(flags);
  const keys = await storedKeys(flags);
  const signedIn = await globusSignIn(auth, requestTimeoutOf(flags), keys.length > 0);
  const account = describe(auth, signedIn, keys);
  if (flags.json) printJson(account);
  else printTable(rowsOf(account));
}

/** Null for none, where a key signs in all the same. */
async function globusSignIn(
  auth: ResolvedDiaspora,
  requestTimeoutMs: number,
  hasKey: boolean,
): Promise<SignedIn | null> {
  const { whoIsSignedIn } = await import('../auth/signed-in.ts');
  try {
    return await whoIsSignedIn({ auth: auth.globus, requestTimeoutMs, env: process.env });
  } catch (error) {
    const isMissing = error instanceof AuthenticationError && error.code === 'CREDENTIALS_MISSING';
    if (isMissing && hasKey) return null;
    throw error;
  }
}

interface Account {
  readonly username: string | null;
  readonly principal: string | null;
  readonly subject: string | null;
  readonly namespace: string | null;
  readonly issuer: string;
  readonly identityProvider: string | null;
  readonly oauthClientId: string;
  readonly scopes: readonly string[];
  /** Null without a Globus sign-in. */
  readonly accessToken: { readonly expiresAt: string; readonly secondsLeft: number } | null;
  /** Where the refresh token comes from; never its value. */
  readonly signedInBy: string | null;
  readonly keys: readonly {
    readonly version: 'v3' | 'v1';
    readonly accessKey: string | null;
    readonly endpoint: string | null;
  }[];
}

function describe(
  auth: ResolvedDiaspora,
  signedIn: SignedIn | null,
  keys: readonly ServiceKey[],
): Account {
  const { issuer, oauthClientId } = auth.globus;
  const { username = null, identityProvider = null } = signedIn?.person ?? {};
  const subject = signedIn?.person?.subject ?? auth.subject;
  return {
    username,
    principal: username?.split('@', 1)[0] ?? null,
    subject,
    namespace: subject && `ns-${subject.replaceAll('-', '').slice(-12)}`,
    issuer,
    identityProvider,
    oauthClientId,
    scopes: signedIn?.scopes ?? [],
    accessToken: signedIn && {
      expiresAt: new Date(signedIn.expiresAt).toISOString(),
      secondsLeft: Math.max(0, Math.floor((signedIn.expiresAt - Date.now()) / 1000)),
    },
    signedInBy: signedIn && placeOf(signedIn, auth),
    keys: keys.map((key) => ({
      version: key.version,
      accessKey: key.version === 'v3' ? key.accessKey : null,
      endpoint: key.endpoint || null,
    })),
  };
}

function placeOf({ place, isReplaced, store }: SignedIn, { globus }: ResolvedDiaspora): string {
  const names = {
    option: 'the refresh token of the options',
    environment: 'the refresh token in DIASPORA_REFRESH',
    file: `the refresh token in the file ${globus.refreshTokenFile}`,
    store: `the refresh token in the token store ${store}`,
    client: 'the secret of the confidential client (DIASPORA_SDK_CLIENT_SECRET)',
  } as const;
  return isReplaced
    ? `${names[place]}; Globus replaced it, the token store has the new one`
    : names[place];
}

function rowsOf(account: Account): (readonly [string, string])[] {
  const { username, subject, namespace, issuer, identityProvider, scopes, accessToken } = account;
  const unknown =
    'not known: this refresh token alone does not tell ("request-token --save" keeps what does)';
  const none = 'no refresh token: "npx diaspora-logger request-token --save" signs in';
  return [
    ['User name', username ?? unknown],
    ['Short name', account.principal ?? '-'],
    ['Subject', subject ?? 'not known: set DIASPORA_SUBJECT to the subject claim of request-token'],
    ['Namespace', namespace ?? '-'],
    [
      'Identity provider',
      [identityProvider, `Globus Auth at ${issuer}`].filter(Boolean).join(', by '),
    ],
    ['Scopes', scopes.join(' ') || '-'],
    [
      'Access token',
      accessToken === null
        ? '-'
        : `good for ${timeLeft(accessToken.secondsLeft)}, until ${accessToken.expiresAt}; renewed by itself`,
    ],
    ['Signed in by', account.signedInBy ?? none],
    ...account.keys.map((key) => ['Service key', keyText(key)] as const),
  ];
}

function keyText({ version, accessKey, endpoint }: Account['keys'][number]): string {
  const what =
    accessKey === null ? `${version}, a password` : `${version}, access key ${accessKey}`;
  return endpoint === null ? what : `${what}, for ${endpoint}`;
}

/** Such as `47 h 59 min`. */
function timeLeft(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
