/** A signer that signs whatever it is told, rightly: for tokens whose signature is not what is wrong. */
import { createHash, createHmac } from 'node:crypto';

export interface Forgery {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Milliseconds since the epoch. */
  readonly signedAt: number;
  readonly region?: string;
  readonly service?: string;
  readonly host?: string;
  /** Before the host: `https://`, or something else. */
  readonly scheme?: string;
  readonly path?: string;
  /** Replaces or adds parameters that are signed; null leaves one out. */
  readonly signed?: Readonly<Record<string, string | null>>;
  /** Added behind the signature, unsigned, as it stands. */
  readonly behind?: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

export function forgeMskToken(forgery: Forgery): string {
  const { accessKeyId, secretAccessKey, signedAt } = forgery;
  const { region = 'us-east-1', service = 'kafka-cluster', scheme = 'https://' } = forgery;
  const {
    path = '/',
    host = `kafka.${region}.amazonaws.com`,
    behind = '&User-Agent=forger',
  } = forgery;
  const date = new Date(signedAt).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const parameters: Record<string, string | null> = {
    Action: 'kafka-cluster:Connect',
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKeyId}/${scope}`,
    'X-Amz-Date': date,
    'X-Amz-Expires': '900',
    'X-Amz-SignedHeaders': 'host',
    ...forgery.signed,
  };
  const query = Object.entries(parameters)
    .flatMap(([name, value]) => (value === null ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .sort()
    .join('&');
  const request = ['GET', path, query, `host:${host}`, '', 'host', sha256('')].join('\n');
  const key = scope.split('/').reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(request)].join('\n');
  const signature = hmac(key, toSign).toString('hex');
  const url = `${scheme}${host}${path}?${query}&X-Amz-Signature=${signature}${behind}`;
  return Buffer.from(url).toString('base64url');
}
