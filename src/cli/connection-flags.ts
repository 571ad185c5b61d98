/** The flags by which every command that talks to brokers learns where they are and how to sign in. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ConfigurationError, systemErrorCode } from '../errors.ts';
import { parseTransportParts } from '../options.ts';

/** As commander hands them over. Secrets come by environment or file alone: other users of a machine see a command's flags. */
export interface ConnectionFlags {
  readonly config?: string;
  readonly brokers?: string;
  readonly auth?: string;
  readonly issuer?: string;
  readonly username?: string;
  readonly mechanism?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly tokenModule?: string;
  readonly serviceUrl?: string;
  readonly apiVersion?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly pfx?: string;
  readonly tls?: boolean;
  readonly checkHostname?: boolean;
}

/** Options of one kind of object, before anything has checked them. */
type Unchecked = Readonly<Record<string, unknown>>;

/** How one signs in who does not say how: the service's key, where the command is about that. */
type DefaultAuth = 'globus' | 'diaspora';

export function addConnectionFlags(command: Command, defaultAuth: DefaultAuth = 'globus'): Command {
  return command
    .option('--config <file>', 'options as JSON, the same object as in code; flags win over it')
    .option('--brokers <host:port,…>', 'brokers to begin with (default: DIASPORA_BOOTSTRAP)')
    .option(
      '--auth <type>',
      `globus, diaspora, scram, aws-iam, mtls, token or none (default: ${defaultAuth})`,
    )
    .option('--issuer <url>', 'globus, diaspora: another Globus Auth (default: DIASPORA_ISSUER)')
    .option(
      '--service-url <url>',
      'diaspora: the topic service (default: DIASPORA_SERVICE_URL, the public one)',
    )
    .option('--api-version <version>', 'diaspora: v3 or v1 (default: v3)')
    .option(
      '--username <name>',
      'scram: user name (default: DIASPORA_USERNAME); the password is DIASPORA_PASSWORD',
    )
    .option('--mechanism <name>', 'scram: SCRAM-SHA-512 or SCRAM-SHA-256 (default: SCRAM-SHA-512)')
    .option('--region <name>', 'AWS region (default: AWS_REGION; for diaspora us-east-1)')
    .option('--profile <name>', "aws-iam: profile of AWS's credential files")
    .option('--token-module <path>', 'token: module whose default export answers an access token')
    .option('--ca <file>', "PEM certificates to trust (default: DIASPORA_CA_FILE, Node's own list)")
    .option('--cert <file>', 'mtls: certificate, PEM')
    .option('--cert-key <file>', 'mtls: its key, PEM')
    .option('--pfx <file>', 'mtls: both as PKCS12; the passphrase is DIASPORA_TLS_PASSPHRASE')
    .option('--no-tls', 'plain text, such as to a broker on this machine')
    .option('--no-check-hostname', "do not compare the broker's name with its certificate");
}

/** What flags and `--config` say, checked, by what it is about. Throws `ConfigurationError`. */
export function optionsFrom(
  flags: ConnectionFlags,
  defaultAuth: DefaultAuth = 'globus',
): ReturnType<typeof parseTransportParts> {
  const config = flags.config === undefined ? {} : readConfig(flags.config);
  const auth = authFrom(flags, objectOf(config['auth']), defaultAuth);
  const tls = tlsFrom(flags, config['tls']);
  return parseTransportParts({
    ...config,
    ...(flags.brokers !== undefined && { bootstrapBrokers: flags.brokers }),
    ...(auth !== null && { auth }),
    ...(tls !== undefined && { tls }),
  });
}

/** The object of a JSON file: what it holds is checked with the options. */
function readConfig(path: string): Unchecked {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no code';
    throw new ConfigurationError(`--config: cannot read the file ${path} (${code}).`, 'config');
  }
  const value = parsed(text);
  if (value === null) {
    // Not what the parser says: that quotes the file, which may hold a password.
    throw new ConfigurationError(`--config: the file ${path} holds no JSON object.`, 'config');
  }
  return value;
}

function parsed(text: string): Unchecked | null {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Which flags go with which type; null where neither flags nor file say anything. */
function authFrom(
  flags: ConnectionFlags,
  config: Unchecked | null,
  defaultAuth: DefaultAuth,
): unknown {
  const { auth, issuer, serviceUrl, apiVersion, region, username, mechanism, profile } = flags;
  const module = flags.tokenModule;
  const given = { issuer, serviceUrl, apiVersion, region, username, mechanism, profile, module };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (auth === undefined && config === null && Object.keys(set).length === 0) return null;
  // Another type than the file's: what the file says of its own does not belong to it.
  const base = auth === undefined || auth === config?.['type'] ? (config ?? {}) : {};
  return { type: defaultAuth, ...base, ...(auth !== undefined && { type: auth }), ...set };
}

function tlsFrom(flags: ConnectionFlags, config: unknown): unknown {
  if (flags.tls === false) return false;
  const { ca, cert, certKey: key, pfx } = flags;
  const set = Object.fromEntries(
    Object.entries({ ca, cert, key, pfx }).filter(([, value]) => value !== undefined),
  );
  const unchecked = flags.checkHostname === false ? { checkHostname: false } : {};
  const own = { ...set, ...unchecked };
  return Object.keys(own).length === 0 ? config : { ...objectOf(config), ...own };
}

function objectOf(value: unknown): Unchecked | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
}
