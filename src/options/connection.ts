/** Brokers, TLS, sign-in and back-off, with defaults and environment filled in. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { ConfigurationError, systemErrorCode } from '../errors.ts';
import { refusal } from './refusal.ts';
import type {
  AuthOptions,
  ConnectionOptions,
  Environment,
  ResolvedAuth,
  ResolvedConnection,
  TlsOptions,
} from './types.ts';

/** The native app that Globus Auth knows the event service's tools by. */
const nativeAppClientId = 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe';

export function resolveConnection(given: ConnectionOptions, env: Environment): ResolvedConnection {
  const bootstrapBrokers = brokers(given.bootstrapBrokers, env);
  const auth = resolveAuth(given.auth ?? { type: 'globus' }, env);
  const tls = resolveTls(given.tls ?? true, env);
  if (auth.type === 'mtls' && !(tls?.pfx || (tls?.cert && tls.key))) {
    throw new ConfigurationError(
      'auth.type "mtls" needs a client certificate: set tls.cert and tls.key, or tls.pfx.',
      'tls',
    );
  }
  const insecure = bootstrapBrokers.find(({ host }) => !isLoopback(host));
  if (
    tls === null &&
    (auth.type === 'globus' || auth.type === 'token') &&
    insecure &&
    !given.allowInsecureToken
  ) {
    throw new ConfigurationError(
      `tls: false would send the access token in plain text to ${insecure.host}: leave tls on, or set allowInsecureToken: true.`,
      'tls',
    );
  }
  const retry = { minMs: given.retry?.minMs ?? 100, maxMs: given.retry?.maxMs ?? 10_000 };
  if (retry.minMs > retry.maxMs) {
    throw new ConfigurationError(
      `Option "retry.minMs" (${retry.minMs}) is above "retry.maxMs" (${retry.maxMs}).`,
      'retry.minMs',
    );
  }
  const diagnostics = given.diagnostics ?? 'stderr';
  return {
    bootstrapBrokers,
    clientId: given.clientId ?? 'diaspora-logger',
    auth,
    tls,
    requestTimeoutMs: given.requestTimeoutMs ?? 30_000,
    retry,
    diagnostics:
      diagnostics === 'stderr' || diagnostics === 'silent'
        ? diagnostics
        : moduleUrl('diagnostics', diagnostics),
  };
}

function resolveAuth(given: AuthOptions, env: Environment): ResolvedAuth {
  switch (given.type) {
    case 'globus': {
      const issuer = (
        given.issuer ??
        nonEmpty(env['DIASPORA_ISSUER']) ??
        'https://auth.globus.org'
      ).replace(/\/+$/, '');
      requireSecureIssuer(issuer);
      // Either option says whose token it is: the environment's may be somebody else's.
      const isGiven = given.refreshToken !== undefined || given.refreshTokenFile !== undefined;
      const fromEnv = (name: string): string | undefined =>
        isGiven ? undefined : nonEmpty(env[name]);
      const refreshToken = given.refreshToken?.trim() ?? fromEnv('DIASPORA_REFRESH');
      const refreshTokenFile = given.refreshTokenFile ?? fromEnv('DIASPORA_REFRESH_FILE');
      const oauthClientSecret =
        given.oauthClientSecret ?? nonEmpty(env['DIASPORA_SDK_CLIENT_SECRET']);
      return {
        type: 'globus',
        issuer,
        ...(refreshToken !== undefined && { refreshToken }),
        refreshTokenFrom: given.refreshToken === undefined ? 'environment' : 'option',
        // Now: the app may change its working directory.
        ...(refreshTokenFile !== undefined && { refreshTokenFile: resolve(refreshTokenFile) }),
        oauthClientId:
          given.oauthClientId ?? nonEmpty(env['DIASPORA_SDK_CLIENT_ID']) ?? nativeAppClientId,
        ...(oauthClientSecret !== undefined && { oauthClientSecret }),
      };
    }
    case 'scram':
      return {
        type: 'scram',
        mechanism: given.mechanism ?? 'SCRAM-SHA-512',
        username: given.username,
        password: given.password,
      };
    case 'token':
      return { type: 'token', module: moduleUrl('auth.module', given.module) };
    default:
      return given;
  }
}

/**
 * Throws `ConfigurationError` for an issuer over plain HTTP that is not on this machine, and for one
 * with a user name, password, query or fragment: an issuer stands in messages, and it has none of them
 * (RFC 8414 section 2).
 */
export function requireSecureIssuer(issuer: string): void {
  const takes = 'an https URL (plain http on loopback only)';
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  // It may be a token that was put in the wrong place.
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError(
      `Option "auth.issuer" takes ${takes}, got text that is none.`,
      'auth.issuer',
    );
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw refusal('auth.issuer', takes, url.origin);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new ConfigurationError(
      `Option "auth.issuer" takes a URL without a user name, password, query or fragment: leave them out of that for ${url.host}.`,
      'auth.issuer',
    );
  }
}

/** Whether a host name can only mean this machine (RFC 5735, RFC 6761). */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

function resolveTls(given: boolean | TlsOptions, env: Environment): TlsConnectionOptions | null {
  if (given === false) return null;
  const options: TlsOptions = given === true ? {} : given;
  const ca = options.ca ?? nonEmpty(env['DIASPORA_CA_FILE']);
  return {
    ...(ca !== undefined && { ca: pem(options.ca ? 'tls.ca' : 'DIASPORA_CA_FILE', ca) }),
    ...(options.cert !== undefined && { cert: pem('tls.cert', options.cert) }),
    ...(options.key !== undefined && { key: pem('tls.key', options.key) }),
    ...(options.pfx !== undefined && { pfx: read('tls.pfx', options.pfx, 'no readable file') }),
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    ...(options.servername !== undefined && { servername: options.servername }),
    ...(options.rejectUnauthorized !== undefined && {
      rejectUnauthorized: options.rejectUnauthorized,
    }),
  };
}

function pem(option: string, value: string): string {
  if (value.includes('-----BEGIN ')) return value;
  const content = read(
    option,
    value,
    'neither PEM text ("-----BEGIN …") nor a readable file',
  ).toString('latin1');
  if (content.includes('-----BEGIN ')) return content;
  throw new ConfigurationError(`${option}: the file holds no PEM ("-----BEGIN …").`, option);
}

/** Throws a `ConfigurationError` that names the path only where it can be nothing else: `value` may be the secret itself. */
function read(option: string, value: string, unlike: string): Buffer {
  try {
    return readFileSync(value);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no code';
    const why = looksLikePath(value) ? `cannot read the file ${value}` : `the value is ${unlike}`;
    throw new ConfigurationError(`${option}: ${why} (${code}).`, option);
  }
}

/** Base64, of which keys are made, has no dots; and a key of its shortest form is longer than this. */
function looksLikePath(value: string): boolean {
  return (
    value.length <= 200 &&
    /^[^\r\n]+$/.test(value) &&
    /^(\.{0,2}[\\/]|~[\\/]|[a-z]:[\\/])|\.(pem|crt|cer|key|der|p12|pfx)$/i.test(value)
  );
}

function brokers(
  given: string | readonly string[] | undefined,
  env: Environment,
): { host: string; port: number }[] {
  const source = given ?? nonEmpty(env['DIASPORA_BOOTSTRAP']);
  const entries = (typeof source === 'string' ? source.split(',') : (source ?? []))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length === 0) {
    throw new ConfigurationError(
      'No broker: set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP to host:port.',
      'bootstrapBrokers',
    );
  }
  return entries.map((entry) => {
    const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(entry);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host === undefined || port < 1 || port > 65_535) {
      throw refusal(
        given === undefined ? 'DIASPORA_BOOTSTRAP' : 'bootstrapBrokers',
        '"host:port", several by comma or as an array',
        entry,
      );
    }
    return { host, port };
  });
}

/** URL of a module named by path, file URL or package name, as seen from the working directory. */
export function moduleUrl(option: string, specifier: string): string {
  if (specifier.startsWith('file:')) return specifier;
  const isPath = specifier.startsWith('.') || resolve(specifier) === specifier;
  try {
    const require = createRequire(join(process.cwd(), 'noop.js'));
    return pathToFileURL(require.resolve(isPath ? resolve(specifier) : specifier)).href;
  } catch {
    // A token may stand where the module that makes one belongs.
    const hidden = option === 'auth.module' && !looksLikePath(specifier);
    const name = hidden ? 'of the given name' : JSON.stringify(specifier);
    throw new ConfigurationError(
      `Option "${option}": no module ${name} is found from ${process.cwd()}.`,
      option,
    );
  }
}

/** An environment variable that is set to something. */
export const nonEmpty = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();
