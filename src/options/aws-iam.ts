/** Sign-in by AWS IAM, with AWS's own environment variables filled in. */
import { ConfigurationError } from '../errors.ts';
import { isRegion, regionTakes } from './auth-schema.ts';
import type { AuthOptions, AwsCredentials, ResolvedAwsIam } from './auth-types.ts';
import { fromEnvironment, nonEmpty } from './environment.ts';
import type { Environment } from './types.ts';

type AwsIamOptions = Extract<AuthOptions, { type: 'aws-iam' }>;

/** Throws `ConfigurationError`. */
export function resolveAwsIam(given: AwsIamOptions, env: Environment): ResolvedAwsIam {
  const region =
    given.region ??
    fromEnvironment(env, ['AWS_REGION', 'AWS_DEFAULT_REGION'], {
      takes: regionTakes,
      test: isRegion,
    });
  if (region === undefined) {
    throw new ConfigurationError(
      'No AWS region: set the option "auth.region" or the environment variable AWS_REGION.',
      'auth.region',
    );
  }
  const own = givenCredentials(given);
  if (own !== null && given.profile !== undefined) {
    throw new ConfigurationError(
      'Options "auth.accessKeyId" and "auth.profile" exclude each other: leave one out.',
      'auth.profile',
    );
  }
  const profile = given.profile ?? null;
  // Either option says who signs in: the environment's key may be somebody else's.
  const credentials = own ?? (profile === null ? environmentCredentials(env) : null);
  return { type: 'aws-iam', region, credentials, profile };
}

function givenCredentials({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: AwsIamOptions): AwsCredentials | null {
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return credentialsOf(accessKeyId, secretAccessKey, sessionToken);
  }
  const only = Object.entries({ accessKeyId, secretAccessKey, sessionToken }).find(
    ([, value]) => value !== undefined,
  );
  if (only === undefined) return null;
  const missing = accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey';
  throw new ConfigurationError(
    `Option "auth.${only[0]}" needs "auth.${missing}" beside it.`,
    `auth.${missing}`,
  );
}

function environmentCredentials(env: Environment): AwsCredentials | null {
  const accessKeyId = nonEmpty(env['AWS_ACCESS_KEY_ID']);
  const secretAccessKey = nonEmpty(env['AWS_SECRET_ACCESS_KEY']);
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return credentialsOf(accessKeyId, secretAccessKey, nonEmpty(env['AWS_SESSION_TOKEN']));
  }
  if (accessKeyId === undefined && secretAccessKey === undefined) return null;
  const [set, missing] =
    accessKeyId === undefined
      ? ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID']
      : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  throw new ConfigurationError(`Environment variable ${set} needs ${missing} beside it.`, missing);
}

function credentialsOf(
  accessKeyId: string,
  secretAccessKey: string,
  sessionToken: string | undefined,
): AwsCredentials {
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
  };
}
