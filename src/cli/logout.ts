/** `diaspora-logger logout`: ends the sign-in at Globus Auth, and forgets it here. */
import { Command } from 'commander';
import type { TokenStore } from '../auth/token-store.ts';
import { AuthenticationError } from '../errors.ts';
import type { ResolvedDiaspora } from '../options.ts';
import { exitCodeOf, exitCodesHelp, SilentExit } from './exit-codes.ts';
import { printJson } from './output.ts';
import { addIssuerFlag, type ServiceFlags, serviceAuth, withClient } from './service-flags.ts';
import { storedKeys } from './stored-keys.ts';

/** Where a person sees and ends what Globus let act for them. */
const consents = 'https://app.globus.org/settings/consents';

export function logoutCommand(): Command {
  return addIssuerFlag(new Command('logout'))
    .description('End the sign-in at Globus, and forget its tokens and the key on this machine.')
    .addHelpText(
      'after',
      `
The Python SDK uses the same token store: it is logged out, too. The service key itself stays good wherever else it
lies; "diaspora-logger keys create" ends it. Logging out twice is no error.

Where Globus cannot be reached, this machine forgets the tokens all the same, as gcloud and gh do: who logs out wants
them gone from here. The command says so and exits with 4; ${consents} ends them for good.

Examples:
  $ diaspora-logger logout
${exitCodesHelp}`,
    )
    .action(run);
}

async function run(flags: ServiceFlags): Promise<void> {
  const auth = serviceAuth(flags);
  const { storeOf } = await import('../auth/token-store.ts');
  const store = storeOf(auth.globus, process.env);
  const { isStored, isGiven, isNamed } = await whatIsHere({ auth, store, flags });
  const problem = await endSignIn(flags);
  if (problem !== null) {
    const { forgetTokens } = await import('../services/logout.ts');
    await forgetTokens(auth, store);
  }
  const left = [
    ...(await leftBehind(auth, store)),
    ...(problem === null || isNamed ? [] : await unnamedKeys(store)),
  ];
  if (flags.json) {
    printJson({ wasSignedIn: isStored || isGiven, ended: problem === null, left });
  } else {
    process.stdout.write(`${summary({ isStored, isGiven, isEnded: problem === null })}\n`);
  }
  for (const one of left) process.stderr.write(`diaspora-logger: ${one}\n`);
  if (problem === null) return;
  process.stderr.write(
    `diaspora-logger: ${problem.message} Whoever has a copy of a token can use it until it ends: ${consents} ends it.\n`,
  );
  throw new SilentExit(exitCodeOf(problem));
}

interface LoggedOut {
  readonly isStored: boolean;
  readonly isGiven: boolean;
  readonly isEnded: boolean;
}

function summary({ isStored, isGiven, isEnded }: LoggedOut): string {
  const forgotten =
    'forgotten on this machine, with the key: the Python SDK finds them no more either.';
  if (!isStored && !isGiven) return 'Nobody was signed in: there was nothing to end.';
  if (!isEnded) return isStored ? `The tokens are ${forgotten}` : 'Nothing was ended.';
  return isStored
    ? `Logged out: the tokens are ended at Globus, and ${forgotten}`
    : 'Logged out: the refresh token is ended at Globus.';
}

/** Null where all tokens were revoked; else why one was not. */
async function endSignIn(flags: ServiceFlags): Promise<AuthenticationError | null> {
  try {
    await withClient(flags, (client) => client.logout());
    return null;
  } catch (error) {
    const canBeForgotten =
      error instanceof AuthenticationError &&
      (error.code === 'TOKEN_ENDPOINT_UNAVAILABLE' || error.code === 'TOKEN_REQUEST_REFUSED');
    if (!canBeForgotten) throw error;
    return error;
  }
}

interface Here {
  readonly auth: ResolvedDiaspora;
  readonly store: TokenStore;
  readonly flags: ServiceFlags;
}

/** Before it is gone: in the token store, and what options and environment name. `isNamed`: whose it is, is known without Globus. */
async function whatIsHere({
  auth,
  store,
  flags,
}: Here): Promise<{ isStored: boolean; isGiven: boolean; isNamed: boolean }> {
  const { ownRows, replacedTokens } = await import('../services/logout.ts');
  const { refreshToken, refreshTokenFile } = auth.globus;
  // One that cannot be read is spoken of by whoever must read it.
  const rows = await ownRows(auth, store).catch(() => []);
  const replaced = await replacedTokens(auth, store);
  return {
    // Whose a key is may have to be asked of Globus: only where nothing else tells.
    isStored: rows.length > 0 || replaced.length > 0 || (await storedKeys(flags)).length > 0,
    isGiven: refreshToken !== undefined || refreshTokenFile !== undefined,
    isNamed:
      auth.subject !== null || rows.length === 0 || rows.some((row) => row.identity_id !== null),
  };
}

async function unnamedKeys(store: TokenStore): Promise<string[]> {
  if (store.directory === null || !(await store.hasKeyRows())) return [];
  return [
    `The token store ${store.path} still holds a service key, and Globus could not be asked whether it is yours: to forget it, set DIASPORA_SUBJECT to its owner's subject claim and log out again.`,
  ];
}

/** What this command cannot take away, each with what to do. */
async function leftBehind(auth: ResolvedDiaspora, store: TokenStore): Promise<string[]> {
  const { refreshToken, refreshTokenFile, oauthClientSecret } = auth.globus;
  const rows = store.directory === null ? [] : await store.readAll().catch(() => []);
  return [
    ...(refreshToken === undefined
      ? []
      : [
          'DIASPORA_REFRESH still holds the refresh token: unset it, and remove it from where it is set.',
        ]),
    ...(refreshTokenFile === undefined
      ? []
      : [`The file ${refreshTokenFile} still holds the refresh token: remove it.`]),
    ...(oauthClientSecret === undefined
      ? []
      : ['DIASPORA_SDK_CLIENT_SECRET still signs in: unset it.']),
    ...(rows.length === 0
      ? []
      : [
          `The token store ${store.path} holds another sign-in than the refresh token that is set: to end that too, unset DIASPORA_REFRESH and DIASPORA_REFRESH_FILE and log out again.`,
        ]),
  ];
}
