/** `diaspora-logger logout`: ends the sign-in at Globus Auth, and forgets it here. */
import { Command } from 'commander';
import { eventService } from '../auth/globus-service.ts';
import type { StoredTokens } from '../auth/token-store.ts';
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
  const { isStored, isGiven } = await whatIsHere(auth, flags);
  const problem = await endSignIn(flags);
  if (problem !== null) await forget(auth);
  const left = await leftBehind(auth);
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

/** Before it is gone: in the token store, and what options and environment name. */
async function whatIsHere(
  auth: ResolvedDiaspora,
  flags: ServiceFlags,
): Promise<{ isStored: boolean; isGiven: boolean }> {
  const { refreshToken, refreshTokenFile } = auth.globus;
  // One that cannot be read is spoken of by whoever must read it.
  const rows = await ownRows(auth).catch(() => []);
  const keys = await storedKeys(flags);
  return {
    isStored: rows.length > 0 || keys.length > 0,
    isGiven: refreshToken !== undefined || refreshTokenFile !== undefined,
  };
}

/** Rows that logging out left since their tokens could not be revoked. */
async function forget(auth: ResolvedDiaspora): Promise<void> {
  const { storeOf } = await import('../auth/token-store.ts');
  const store = storeOf(auth.globus, process.env);
  for (const row of await ownRows(auth)) await store.forget(row.resource_server);
}

/** Of the token store; none where it is another person's than the refresh token that is set. */
async function ownRows(auth: ResolvedDiaspora): Promise<readonly StoredTokens[]> {
  const { storeOf } = await import('../auth/token-store.ts');
  const { isOfStore } = await import('../services/subject.ts');
  const store = storeOf(auth.globus, process.env);
  if (store.directory === null) return [];
  const rows = await store.readAll();
  const own = rows.find(({ resource_server: name }) => name === eventService) ?? null;
  return isOfStore(auth, store, own) ? rows : [];
}

/** What this command cannot take away, each with what to do. */
async function leftBehind(auth: ResolvedDiaspora): Promise<string[]> {
  const { storeOf } = await import('../auth/token-store.ts');
  const { refreshToken, refreshTokenFile, oauthClientSecret } = auth.globus;
  const store = storeOf(auth.globus, process.env);
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
