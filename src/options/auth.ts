/** How to sign in, with defaults and environment filled in. */
import { resolve } from 'node:path';
import { ConfigurationError } from '../errors.ts';
import { isSubject, subjectTakes } from './auth-schema.ts';
import type {
  AuthOptions,
  DiasporaOptions,
  GlobusOptions,
  ResolvedAuth,
  ResolvedDiaspora,
  ResolvedGlobus,
  ResolvedScram,
} from './auth-types.ts';
import { resolveAwsIam } from './aws-iam.ts';
import { fromEnvironment, nonEmpty } from './environment.ts';
import { moduleUrl } from './module-url.ts';
import { requireSecureIssuer, requireSecureUrl, withoutSlash } from './secure-url.ts';
import type { Environment } from './types.ts';

export const defaultIssuer = 'https://auth.globus.org';

/** The native app that Globus Auth knows the event service's tools by: a public client, no secret. */
export const nativeAppClientId = 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe';

/** Where the Python SDK finds the service, by its `DIASPORA_SDK_ENVIRONMENT`. */
const localService = 'http://localhost:8000';
const publicService = 'https://diaspora-web-service.qpp943wkvr7b2.us-east-1.cs.amazonlightsail.com';

/** Where the brokers of the public service are. */
const diasporaRegion = 'us-east-1';

/** Throws `ConfigurationError`. */
export function resolveAuth(
  given: AuthOptions,
  env: Environment,
  allowInsecureToken: boolean,
): ResolvedAuth {
  switch (given.type) {
    case 'globus':
      return resolveGlobus(given, env);
    case 'diaspora':
      return resolveDiaspora(given, env, allowInsecureToken);
    case 'scram':
      return resolveScram(given, env);
    case 'aws-iam':
      return resolveAwsIam(given, env);
    case 'token':
      return { type: 'token', module: moduleUrl('auth.module', given.module) };
    default:
      return given;
  }
}

function resolveGlobus(given: GlobusOptions, env: Environment): ResolvedGlobus {
  const issuer = withoutSlash(given.issuer ?? nonEmpty(env['DIASPORA_ISSUER']) ?? defaultIssuer);
  requireSecureIssuer(issuer);
  // Either option says whose token it is: the environment's may be somebody else's.
  const isGiven = given.refreshToken !== undefined || given.refreshTokenFile !== undefined;
  const fromEnv = (name: string): string | undefined => (isGiven ? undefined : nonEmpty(env[name]));
  const refreshToken = given.refreshToken?.trim() ?? fromEnv('DIASPORA_REFRESH');
  const refreshTokenFile = given.refreshTokenFile ?? fromEnv('DIASPORA_REFRESH_FILE');
  const oauthClientSecret = given.oauthClientSecret ?? nonEmpty(env['DIASPORA_SDK_CLIENT_SECRET']);
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

/** The Diaspora service, and who asks it. Throws `ConfigurationError`. */
export function resolveDiaspora(
  given: DiasporaOptions,
  env: Environment,
  allowInsecureToken: boolean,
): ResolvedDiaspora {
  const subject =
    given.subject ??
    fromEnvironment(env, ['DIASPORA_SUBJECT'], { takes: subjectTakes, test: isSubject });
  const apiVersion = given.apiVersion ?? 'v3';
  return {
    type: 'diaspora',
    apiVersion,
    serviceUrl: serviceUrl(given.serviceUrl, env, { apiVersion, allowInsecureToken }),
    // Not AWS_REGION: that is where this process runs, and says nothing of where the service's brokers are.
    region: given.region ?? diasporaRegion,
    subject: subject?.toLowerCase() ?? null,
    globus: resolveGlobus(given, env),
  };
}

function serviceUrl(
  given: string | undefined,
  env: Environment,
  { apiVersion, allowInsecureToken }: { apiVersion: 'v3' | 'v1'; allowInsecureToken: boolean },
): string {
  const named = given ?? nonEmpty(env['DIASPORA_SERVICE_URL']);
  if (named === undefined) {
    if (env['DIASPORA_SDK_ENVIRONMENT'] === 'local') return localService;
    if (apiVersion === 'v3') return publicService;
    throw new ConfigurationError(
      'No service for auth.apiVersion "v1": the public one is v3\'s. Set the option "auth.serviceUrl" or the environment variable DIASPORA_SERVICE_URL.',
      'auth.serviceUrl',
    );
  }
  const option = given === undefined ? 'DIASPORA_SERVICE_URL' : 'auth.serviceUrl';
  requireSecureUrl(option, named, { allowInsecure: allowInsecureToken });
  return withoutSlash(named);
}

function resolveScram(
  given: Extract<AuthOptions, { type: 'scram' }>,
  env: Environment,
): ResolvedScram {
  const username = given.username ?? nonEmpty(env['DIASPORA_USERNAME']);
  // As it is: a password may begin or end with spaces.
  const password = given.password ?? (env['DIASPORA_PASSWORD'] || undefined);
  if (username === undefined) {
    throw new ConfigurationError(
      'No user name: set the option "auth.username" or the environment variable DIASPORA_USERNAME.',
      'auth.username',
    );
  }
  if (password === undefined) {
    throw new ConfigurationError(
      'No password: set the option "auth.password" or the environment variable DIASPORA_PASSWORD.',
      'auth.password',
    );
  }
  return { type: 'scram', mechanism: given.mechanism ?? 'SCRAM-SHA-512', username, password };
}
