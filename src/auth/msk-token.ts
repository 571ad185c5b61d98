/** Access tokens that Amazon MSK takes from AWS identities: a signed request that nobody sends. */
import { createHash, createHmac } from 'node:crypto';
import type { AwsCredentials } from '../options.ts';
import type { AccessToken } from './renewing-token.ts';

/** How long a token is good, in seconds: what MSK allows, and every client of Amazon's asks for. */
const lifeSeconds = 900;

const service = 'kafka-cluster';
const algorithm = 'AWS4-HMAC-SHA256';

export interface MskTokenOptions extends AwsCredentials {
  /** AWS region of the brokers, such as `us-east-1`. */
  readonly region: string;
  /** When it is signed, in milliseconds since the epoch. Default now. */
  readonly now?: number;
}

/**
 * An MSK IAM token: the URL of a GET of `kafka-cluster:Connect`, signed in its query by Signature Version 4, as base64url.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; the form is that of
 * https://github.com/aws/aws-msk-iam-sasl-signer-python.
 */
export function signMskToken(options: MskTokenOptions): AccessToken {
  const { region, accessKeyId, secretAccessKey, sessionToken, now = Date.now() } = options;
  const signedAt = Math.floor(now / 1000) * 1000;
  const timestamp = new Date(signedAt).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = timestamp.slice(0, 8);
  const scope = `${date}/${region}/${service}/aws4_request`;
  const host = `kafka.${region}.amazonaws.com`;
  const query = queryString({
    Action: `${service}:Connect`,
    'X-Amz-Algorithm': algorithm,
    'X-Amz-Credential': `${accessKeyId}/${scope}`,
    'X-Amz-Date': timestamp,
    'X-Amz-Expires': String(lifeSeconds),
    ...(sessionToken !== undefined && { 'X-Amz-Security-Token': sessionToken }),
    'X-Amz-SignedHeaders': 'host',
  });
  const request = ['GET', '/', query, `host:${host}`, '', 'host', sha256('')].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, [algorithm, timestamp, scope, sha256(request)].join('\n'));
  // The user agent comes after signing: MSK logs it, and its own clients leave it out of the signature.
  const ending = queryString({
    'X-Amz-Signature': signature.toString('hex'),
    'User-Agent': 'diaspora-logger',
  });
  return {
    value: Buffer.from(`https://${host}/?${query}&${ending}`).toString('base64url'),
    expiresAt: signedAt + lifeSeconds * 1000,
  };
}

/** Parameters in the order given, which for those that are signed is that of their names. */
function queryString(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .join('&');
}

/** RFC 3986: all but letters, digits, `-`, `.`, `_` and `~`. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();
