/**
 * Checks a sign-in token of AWS's MSK: base64url of the URL of a GET of `kafka-cluster:Connect`, signed in
 * its query by Signature Version 4.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** AWS takes a request whose time is at most this far off, in milliseconds. */
const clockSkewMs = 5 * 60_000;
/** No token of MSK's is good for longer, in seconds. */
const longestLife = 900;
/** Longer than any such token. */
const longestToken = 4_096;

/** A token that is well formed and in time. Its signature is still to be checked. */
export interface MskToken {
  readonly accessKeyId: string;
  readonly region: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly isSignedWith: (secretAccessKey: string) => boolean;
}

/** Whether a token can be meant as one of MSK's: no other kind begins like `https://kafka`. */
export const looksLikeMskToken = (token: string): boolean => token.startsWith('aHR0cHM6Ly9rYWZrYS');

/** Null where anything about it is wrong. `now`: milliseconds since the epoch. */
export function readMskToken(token: string, now: number): MskToken | null {
  if (token.length > longestToken || !/^[\w-]+=*$/.test(token)) return null;
  const text = Buffer.from(token, 'base64url').toString();
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:' || url.port !== '' || url.pathname !== '/') return null;
  if (url.username !== '' || url.password !== '' || url.hash !== '') return null;

  const names = [...url.searchParams.keys()];
  if (new Set(names).size !== names.length) return null;
  const value = (name: string): string => url.searchParams.get(name) ?? '';
  const [, accessKeyId = '', day = '', region = ''] =
    /^(\w+)\/(\d{8})\/([\da-z-]+)\/kafka-cluster\/aws4_request$/.exec(value('X-Amz-Credential')) ??
    [];
  const signedAt = readTime(value('X-Amz-Date'));
  const life = /^\d{1,3}$/.test(value('X-Amz-Expires')) ? Number(value('X-Amz-Expires')) : 0;
  const isRight =
    accessKeyId !== '' &&
    url.hostname === `kafka.${region}.amazonaws.com` &&
    value('Action') === 'kafka-cluster:Connect' &&
    value('X-Amz-Algorithm') === 'AWS4-HMAC-SHA256' &&
    value('X-Amz-SignedHeaders') === 'host' &&
    value('X-Amz-Date').startsWith(day) &&
    // The keys of this service are for good: nobody has a session token of theirs.
    !url.searchParams.has('X-Amz-Security-Token');
  const isInTime =
    signedAt !== null &&
    life > 0 &&
    life <= longestLife &&
    signedAt <= now + clockSkewMs &&
    signedAt + life * 1000 > now;
  if (!isRight || !isInTime) return null;

  const isSignedWith = (secretAccessKey: string): boolean => {
    const scope = `${day}/${region}/kafka-cluster/aws4_request`;
    const toSign = ['AWS4-HMAC-SHA256', value('X-Amz-Date'), scope, sha256(canonical(url))];
    const key = scope.split('/').reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
    const expected = hmac(key, toSign.join('\n'));
    const given = Buffer.from(value('X-Amz-Signature'), 'hex');
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  return { accessKeyId, region, expiresAt: Math.floor(signedAt / 1000) + life, isSignedWith };
}

/** The canonical request. `User-Agent` is added after signing, and the signature is not part of what it signs. */
function canonical(url: URL): string {
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&');
  return ['GET', '/', query, `host:${url.hostname}`, '', 'host', sha256('')].join('\n');
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** RFC 3986: what `encodeURIComponent` leaves out is encoded too. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** `20260102T030405Z`, as milliseconds since the epoch. */
function readTime(text: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!parts) return null;
  const [, year, month, day, hour, minute, second] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}
