/** `diaspora-logger request-token`: sign in with Globus, and print what clients need. */
import { Command } from 'commander';
import { promptForCode } from '../auth/prompt.ts';
import { type RequestedToken, requestToken } from '../auth/request-token.ts';
import {
  checkJavaProperties,
  type JavaPropertiesOptions,
  writeJavaProperties,
} from '../other-clients/java-properties.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { shellQuoted } from './output.ts';

interface Flags {
  readonly java?: boolean;
  readonly out: string;
  readonly save?: boolean;
  readonly browser: boolean;
  readonly issuer?: string;
  readonly json?: boolean;
}

export function requestTokenCommand(): Command {
  return new Command('request-token')
    .description('Sign in with Globus and print a refresh token.')
    .option('--java', 'also write <principal>.properties for Java clients (mode 0600)')
    .option('--out <directory>', 'where to write it', '.')
    .option('--save', 'keep the tokens in ~/.diaspora/storage.db, where the Python SDK looks too')
    .option('--no-browser', 'do not open a browser')
    .option(
      '--issuer <url>',
      'another Globus Auth (default: DIASPORA_ISSUER, https://auth.globus.org)',
    )
    .option('--json', 'print one JSON object on stdout, everything else on stderr')
    .addHelpText('after', exitCodesHelp)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  // Before the person signs in: a sign-in is not wasted on a place that cannot be written.
  if (flags.java) await checkJavaProperties(flags.out, javaOptions(process.env));
  const token = await requestToken({
    browser: flags.browser,
    save: flags.save === true,
    prompt: (url) =>
      promptForCode(url, process.stdin, flags.json ? process.stderr : process.stdout).finally(() =>
        // A paused pipe that its writer leaves open would keep the process from ending.
        process.stdin.destroy(),
      ),
    ...(flags.issuer !== undefined && { issuer: flags.issuer }),
  });
  const java = flags.java ? await keepForJava(flags.out, token) : { path: null, error: null };
  // Whatever could not be written, the tokens are shown: they are what the person signed in for.
  process.stdout.write(flags.json ? asJson(token, java.path) : asBlock(token, java.path));
  const failures = [
    ...(token.saveProblem === null ? [] : [new Error(token.saveProblem)]),
    ...(java.error === null ? [] : [java.error]),
  ];
  const last = failures.pop();
  for (const { message } of failures) process.stderr.write(`diaspora-logger: ${message}\n`);
  if (last) throw last;
}

async function keepForJava(
  directory: string,
  token: RequestedToken,
): Promise<{ path: string | null; error: Error | null }> {
  const { issuer, oauthClientId, refreshToken, principal } = token;
  const options = { ...javaOptions(process.env), issuer, oauthClientId, refreshToken };
  try {
    return { path: await writeJavaProperties(directory, principal, options), error: null };
  } catch (error) {
    return { path: null, error: error instanceof Error ? error : new Error('unknown error') };
  }
}

/** What the environment says of the file for Java clients. */
function javaOptions(env: NodeJS.ProcessEnv): Omit<JavaPropertiesOptions, 'refreshToken'> {
  const oauthClientSecret = env['DIASPORA_SDK_CLIENT_SECRET'];
  const bootstrapBrokers = env['DIASPORA_BOOTSTRAP'];
  const caFile = env['DIASPORA_CA_FILE'];
  return {
    ...(oauthClientSecret && { oauthClientSecret }),
    ...(bootstrapBrokers && { bootstrapBrokers }),
    ...(caFile && { caFile }),
  };
}

function asJson(token: RequestedToken, properties: string | null): string {
  return `${JSON.stringify({ ...token, javaProperties: properties })}\n`;
}

/** The block that the Python original prints; a token is a word of base64url characters and needs no more than quotes. */
function asBlock(token: RequestedToken, properties: string | null): string {
  const line = '='.repeat(32);
  return [
    line,
    `Subject claim: ${token.subject}`,
    `Principal name: ${token.principal}`,
    `Access token: ${token.accessToken}`,
    `Refresh token: ${token.refreshToken}`,
    `Node clients: export DIASPORA_REFRESH=${shellQuoted(token.refreshToken)}`,
    ...(token.savedTo === null ? [] : [`Token store: the tokens are saved to ${token.savedTo}`]),
    ...(properties === null
      ? []
      : [`Java clients: Connection properties are saved to ${properties}`]),
    line,
    '',
  ].join('\n');
}
