/** `diaspora-logger request-token`: sign in with Globus, and print what clients need. */
import { Command } from 'commander';
import { writeJavaProperties } from '../auth/java-properties.ts';
import { promptForCode } from '../auth/prompt.ts';
import { type RequestedToken, requestToken } from '../auth/request-token.ts';
import { exitCodesHelp } from './exit-codes.ts';

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
  const { env } = process;
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
  const secret = env['DIASPORA_SDK_CLIENT_SECRET'];
  const bootstrap = env['DIASPORA_BOOTSTRAP'];
  const caFile = env['DIASPORA_CA_FILE'];
  const properties = flags.java
    ? await writeJavaProperties(flags.out, token.principal, {
        refreshToken: token.refreshToken,
        issuer: token.issuer,
        oauthClientId: token.oauthClientId,
        ...(secret && { oauthClientSecret: secret }),
        ...(bootstrap && { bootstrapBrokers: bootstrap }),
        ...(caFile && { caFile }),
      })
    : null;
  process.stdout.write(flags.json ? asJson(token, properties) : asBlock(token, properties));
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

const shellQuoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
