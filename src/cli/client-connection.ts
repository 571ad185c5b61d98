/** From a command's options to what other Kafka clients are told. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { RefreshTokenOrigin } from '../auth/refresh-token-origin.ts';
import { createTokenSource } from '../auth/token-source.ts';
import { storeOf } from '../auth/token-store.ts';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import {
  type ConnectionOptions,
  type Environment,
  type ResolvedConnection,
  type ResolvedGlobus,
  resolveProducer,
  type TlsOptions,
} from '../options.ts';
import type {
  AccessKeySignIn,
  ClientConnection,
  ClientSignIn,
  ClientTls,
  Secret,
} from '../other-clients/client-connection.ts';
import { serviceOptions } from '../ready/service-options.ts';
import type { ConnectionDetails } from '../services/diaspora-client.ts';

export interface TellOptions {
  /** Whether secrets are told, or only the environment variables that stand for them. */
  readonly showSecrets: boolean;
  readonly env: Environment;
}

/** What is told, and a name for files that hold it: who signs in, where that is known. */
export interface ToldConnection {
  readonly connection: ClientConnection;
  readonly name: string;
}

/**
 * Asks for a key or token only where it must be told. Throws `ConfigurationError`, and the error of whoever was asked.
 */
export async function tellConnection(
  options: ConnectionOptions,
  tell: TellOptions,
): Promise<ToldConnection> {
  const resolved = resolveProducer(options, tell.env);
  const tls = tlsOf(options.tls ?? true, tell);
  const details = resolved.auth.type === 'diaspora' ? await detailsOf(options, tell.env) : null;
  const signIn = details === null ? await signInOf(resolved, tell) : keySignIn(details, tell);
  const named = resolved.bootstrapBrokers.map(({ host, port }) =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  );
  return {
    connection: {
      bootstrapBrokers: named.join(',') || (details?.bootstrapBrokers ?? null),
      signIn,
      tls,
    },
    name: details?.subject ?? (signIn.type === 'scram' ? signIn.username : 'diaspora'),
  };
}

async function detailsOf(options: ConnectionOptions, env: Environment): Promise<ConnectionDetails> {
  const { DiasporaClient } = await import('../services/diaspora-client.ts');
  const client = new DiasporaClient({ ...serviceOptions(options), env });
  try {
    return await client.connectionDetails();
  } finally {
    await client.close();
  }
}

function keySignIn(details: ConnectionDetails, tell: TellOptions): ClientSignIn {
  if (details.saslMechanism === 'SCRAM-SHA-512') {
    return {
      type: 'scram',
      mechanism: details.saslMechanism,
      username: details.username,
      password: secretIn('DIASPORA_PASSWORD', details.password, tell),
    };
  }
  return {
    type: 'aws-iam',
    region: details.region,
    accessKey: {
      accessKeyId: details.accessKey,
      secretAccessKey: secretIn('AWS_SECRET_ACCESS_KEY', details.secretKey, tell),
      sessionToken: null,
    },
    profile: null,
  };
}

async function signInOf({ auth }: ResolvedConnection, tell: TellOptions): Promise<ClientSignIn> {
  switch (auth.type) {
    case 'globus':
      return globusSignIn(auth, tell);
    case 'scram':
      return { ...auth, password: secretIn('DIASPORA_PASSWORD', auth.password, tell) };
    case 'aws-iam': {
      const { region, credentials, profile } = auth;
      return {
        type: 'aws-iam',
        region,
        accessKey: credentials && keyOf(credentials, tell),
        profile,
      };
    }
    case 'token': {
      const variable = 'DIASPORA_ACCESS_TOKEN';
      if (!tell.showSecrets) return { type: 'token', accessToken: { variable, value: null } };
      const source = createTokenSource({ auth, env: tell.env });
      const { value } = await source.token().finally(() => source.close());
      return { type: 'token', accessToken: { variable, value } };
    }
    case 'mtls':
      return { type: 'mtls' };
    case 'none':
      return { type: 'none' };
    case 'diaspora':
      throw new Error('A service key is told by its details.');
  }
}

function keyOf(
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
  tell: TellOptions,
): AccessKeySignIn {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    accessKeyId,
    secretAccessKey: secretIn('AWS_SECRET_ACCESS_KEY', secretAccessKey, tell),
    sessionToken:
      sessionToken === undefined ? null : secretIn('AWS_SESSION_TOKEN', sessionToken, tell),
  };
}

async function globusSignIn(auth: ResolvedGlobus, tell: TellOptions): Promise<ClientSignIn> {
  const { issuer, oauthClientId, oauthClientSecret } = auth;
  const isClient =
    oauthClientSecret !== undefined &&
    auth.refreshToken === undefined &&
    auth.refreshTokenFile === undefined;
  return {
    type: 'globus',
    issuer,
    oauthClientId,
    oauthClientSecret:
      oauthClientSecret === undefined
        ? null
        : secretIn('DIASPORA_SDK_CLIENT_SECRET', oauthClientSecret, tell),
    refreshToken: isClient
      ? null
      : {
          variable: 'DIASPORA_REFRESH',
          value: tell.showSecrets ? await presentRefreshToken(auth, tell.env) : null,
        },
  };
}

/** The one that is in use: Globus Auth may have replaced the one that was given. */
async function presentRefreshToken(auth: ResolvedGlobus, env: Environment): Promise<string> {
  const found = await new RefreshTokenOrigin(auth, storeOf(auth, env)).find(() => false);
  if (found !== null) return found.value;
  throw new AuthenticationError(
    'CREDENTIALS_MISSING',
    'No Globus refresh token to show: run "npx diaspora-logger request-token --save", or set DIASPORA_REFRESH.',
    false,
  );
}

const secretIn = (variable: string, value: string, { showSecrets }: TellOptions): Secret => ({
  variable,
  value: showSecrets ? value : null,
});

function tlsOf(given: boolean | TlsOptions, tell: TellOptions): ClientTls | null {
  if (given === false) return null;
  const options: TlsOptions = given === true ? {} : given;
  if (options.servername !== undefined) {
    throw new ConfigurationError(
      `Other clients compare the broker's certificate with the host that they connect to, and cannot be told another name: leave out tls.servername (${options.servername}).`,
      'tls.servername',
    );
  }
  const keyFile = fileOf('tls.key', options.key);
  const pfxFile = fileOf('tls.pfx', options.pfx);
  const passphrase = options.passphrase ?? (tell.env['DIASPORA_TLS_PASSPHRASE'] || undefined);
  // Java's clients fail where one is given for a key that has none.
  const takesIt = pfxFile !== null || (keyFile !== null && isEncrypted(keyFile));
  return {
    caFile: fileOf('tls.ca', options.ca ?? (tell.env['DIASPORA_CA_FILE']?.trim() || undefined)),
    certFile: fileOf('tls.cert', options.cert),
    keyFile,
    pfxFile,
    passphrase:
      takesIt && passphrase !== undefined
        ? secretIn('DIASPORA_TLS_PASSPHRASE', passphrase, tell)
        : null,
    checkHostname: options.checkHostname !== false,
    verify: options.rejectUnauthorized !== false,
  };
}

/** By its PEM: PKCS8's own label (RFC 7468 section 11), or OpenSSL's older header. */
const isEncrypted = (keyFile: string): boolean =>
  /^(-----BEGIN ENCRYPTED |Proc-Type: 4,ENCRYPTED)/m.test(readFileSync(keyFile, 'latin1'));

/** Absolute: the other client runs in a directory of its own. */
function fileOf(option: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  if (!value.includes('-----BEGIN ')) return resolve(value);
  throw new ConfigurationError(
    `${option} holds the PEM text itself, and other clients want a file: put it into one, and name that.`,
    option,
  );
}
