/** What the commands around the Diaspora service share: its flags, and a client for as long as a command runs. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type DiasporaOptions, type ResolvedDiaspora, resolveDiaspora } from '../options.ts';
import type { DiasporaClient } from '../services/diaspora-client.ts';

/** As commander hands them over. */
export interface ServiceFlags {
  readonly serviceUrl?: string;
  readonly apiVersion?: 'v3' | 'v1';
  readonly issuer?: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly json?: boolean;
}

export function addServiceFlags(command: Command): Command {
  return addServiceUrlFlag(command).addOption(
    new Option('--api-version <version>', 'which generation of the service')
      .choices(['v3', 'v1'])
      .default('v3'),
  );
}

/** For what all generations of the service do alike. */
export function addServiceUrlFlag(command: Command): Command {
  return addIssuerFlag(command).option(
    '--service-url <url>',
    'another Diaspora service (default: DIASPORA_SERVICE_URL, the public one)',
  );
}

export function addIssuerFlag(command: Command): Command {
  return command
    .option(
      '--issuer <url>',
      'another Globus Auth (default: DIASPORA_ISSUER, https://auth.globus.org)',
    )
    .option(
      '--timeout <seconds>',
      'how long one request may take; it is sent four times at most',
      seconds,
      10,
    )
    .option('--json', 'print one JSON value on stdout');
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0.1 && value <= 600) return value;
  throw new InvalidArgumentError('It takes a number of seconds from 0.1 to 600.');
}

/** Flags and environment, checked. Throws `ConfigurationError`. */
export function serviceAuth(flags: ServiceFlags): ResolvedDiaspora {
  return resolveDiaspora(accountOf(flags), process.env, false);
}

/** How long one request may take, in milliseconds. */
export const requestTimeoutOf = ({ timeout = 10 }: ServiceFlags): number =>
  Math.round(timeout * 1000);

/** Hands a client to `action`, and closes it afterwards. */
export async function withClient<T>(
  flags: ServiceFlags,
  action: (client: DiasporaClient) => Promise<T>,
): Promise<T> {
  const { DiasporaClient } = await import('../services/diaspora-client.ts');
  const requestTimeoutMs = requestTimeoutOf(flags);
  const client = new DiasporaClient({ ...accountOf(flags), requestTimeoutMs });
  // No `await using`: beside it TypeScript leaves the path of an `import()` as it is (6.0).
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

function accountOf({ serviceUrl, apiVersion, issuer }: ServiceFlags): DiasporaOptions {
  return {
    ...(serviceUrl !== undefined && { serviceUrl }),
    ...(apiVersion !== undefined && { apiVersion }),
    ...(issuer !== undefined && { issuer }),
  };
}
