/** What each way to sign in takes. */
import { z } from 'zod';
import type { AuthOptions } from './auth-types.ts';
import { check, oneOf, text } from './checks.ts';

/** As Globus Auth names who signs in (RFC 9562). */
export const isSubject = (value: unknown): value is string =>
  typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value);
export const subjectTakes = 'a UUID';

/** Such as `us-east-1`. It becomes part of a host name. */
export const isRegion = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z\d]+(-[a-z\d]+)+$/.test(value) && value.length <= 40;
export const regionTakes = 'an AWS region, such as "us-east-1"';

const region = check<string>(regionTakes, isRegion).exactOptional();

const globusShape = {
  issuer: text('a URL').exactOptional(),
  refreshToken: check<string>(
    'a refresh token',
    (value) => typeof value === 'string' && value.trim() !== '',
  ).exactOptional(),
  refreshTokenFile: text('a path').exactOptional(),
  oauthClientId: text('a client id').exactOptional(),
  oauthClientSecret: text('a client secret').exactOptional(),
};

const globusSchema = z.strictObject({ type: z.literal('globus'), ...globusShape });
const diasporaSchema = z.strictObject({
  type: z.literal('diaspora'),
  apiVersion: oneOf('v3', 'v1').exactOptional(),
  serviceUrl: text('a URL').exactOptional(),
  region,
  subject: check<string>(subjectTakes, isSubject).exactOptional(),
  ...globusShape,
});
const scramSchema = z.strictObject({
  type: z.literal('scram'),
  mechanism: oneOf('SCRAM-SHA-256', 'SCRAM-SHA-512').exactOptional(),
  username: text('a user name').exactOptional(),
  password: text('a password').exactOptional(),
});
const awsIamSchema = z.strictObject({
  type: z.literal('aws-iam'),
  region,
  accessKeyId: text('an access key id').exactOptional(),
  secretAccessKey: text('a secret access key').exactOptional(),
  sessionToken: text('a session token').exactOptional(),
  profile: text('the name of a profile').exactOptional(),
});

export const authTypes = '"globus", "diaspora", "scram", "aws-iam", "mtls", "token" or "none"';

const byType = z.discriminatedUnion(
  'type',
  [
    globusSchema,
    diasporaSchema,
    scramSchema,
    awsIamSchema,
    z.strictObject({ type: z.literal('mtls') }),
    z.strictObject({ type: z.literal('token'), module: text('a module path') }),
    z.strictObject({ type: z.literal('none') }),
  ],
  { error: `{ type: "globus" }, or another type of ${authTypes}` },
);

export const authSchema: z.ZodType<AuthOptions> = byType;

/** Names of the options of this type; none where there is no such type. */
export function authOptionNames(type: unknown): string[] {
  const branch = byType.options.find((option) => option.shape.type.value === type);
  return Object.keys(branch?.shape ?? {});
}
