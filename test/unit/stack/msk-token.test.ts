import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js';
import { describe, expect, it } from 'vitest';
import { looksLikeMskToken, readMskToken } from '../../../stack/topic-service/msk-token.ts';
import { type Forgery, forgeMskToken } from './forged-msk-token.ts';

const accessKeyId = 'AKIDEXAMPLE';
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const signedAt = Date.UTC(2026, 0, 2, 3, 4, 5);
const minute = 60_000;

const forge = (changes: Partial<Forgery> = {}): string =>
  forgeMskToken({ accessKeyId, secretAccessKey, signedAt, ...changes });

describe('A sign-in token of MSK', () => {
  it('with the signature that AWS documents tell of is read, and was signed with that secret alone', () => {
    const query =
      'Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256' +
      '&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fkafka-cluster%2Faws4_request' +
      '&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=24ebada2ed545858377591fc84af1a1bff3c40c5e8ab0c1fc85eee156cfb42da' +
      '&User-Agent=aws-msk-iam-sasl-signer-python%2F1.0.1';
    const token = Buffer.from(`https://kafka.us-east-1.amazonaws.com/?${query}`).toString(
      'base64url',
    );
    expect(looksLikeMskToken(token)).toBe(true);
    const read = readMskToken(token, signedAt);
    expect(read).toMatchObject({
      accessKeyId,
      region: 'us-east-1',
      expiresAt: signedAt / 1000 + 900,
    });
    expect(read?.isSignedWith(secretAccessKey)).toBe(true);
    expect(read?.isSignedWith(`${secretAccessKey}x`)).toBe(false);
    expect(readMskToken(`${token}==`, signedAt)?.isSignedWith(secretAccessKey)).toBe(true);
  });

  it("is taken as AWS's own signer makes it", async () => {
    const { token } = await generateAuthTokenFromCredentialsProvider({
      region: 'eu-central-1',
      awsCredentialsProvider: async () => ({ accessKeyId, secretAccessKey }),
    });
    const read = readMskToken(token, Date.now());
    expect(read?.region).toBe('eu-central-1');
    expect(read?.isSignedWith(secretAccessKey)).toBe(true);
  });

  it.each<{ what: string; changes: Partial<Forgery> }>([
    { what: 'another service', changes: { service: 's3' } },
    { what: 'another host', changes: { host: 'kafka.us-east-1.example.org' } },
    { what: 'the host of another region', changes: { host: 'kafka.us-west-2.amazonaws.com' } },
    { what: 'a port', changes: { host: 'kafka.us-east-1.amazonaws.com:8443' } },
    { what: 'a user in its address', changes: { scheme: 'https://user:pw@' } },
    { what: 'plain HTTP', changes: { scheme: 'http://' } },
    { what: 'another path', changes: { path: '/x' } },
    { what: 'another action', changes: { signed: { Action: 'kafka-cluster:DeleteTopic' } } },
    { what: 'no action', changes: { signed: { Action: null } } },
    {
      what: 'another algorithm',
      changes: { signed: { 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256' } },
    },
    { what: 'more headers signed', changes: { signed: { 'X-Amz-SignedHeaders': 'date;host' } } },
    { what: 'a life of more than 15 minutes', changes: { signed: { 'X-Amz-Expires': '901' } } },
    { what: 'no life', changes: { signed: { 'X-Amz-Expires': '0' } } },
    { what: 'a life that is no number', changes: { signed: { 'X-Amz-Expires': '9e2' } } },
    { what: 'no life at all', changes: { signed: { 'X-Amz-Expires': null } } },
    { what: 'a date of another day', changes: { signed: { 'X-Amz-Date': '20260103T030405Z' } } },
    { what: 'a date that is none', changes: { signed: { 'X-Amz-Date': '20260102T250405Z' } } },
    { what: 'a session token', changes: { signed: { 'X-Amz-Security-Token': 'session' } } },
    { what: 'a parameter twice', changes: { behind: '&Action=kafka-cluster%3AConnect' } },
    { what: 'a fragment', changes: { behind: '&User-Agent=x#y' } },
  ])('with $what is refused, rightly signed or not', ({ changes }) => {
    expect(readMskToken(forge(changes), signedAt)).toBeNull();
  });

  it('is good from five minutes before its time until its life is over, and no longer', () => {
    const token = forge();
    expect(readMskToken(token, signedAt - 5 * minute)).not.toBeNull();
    expect(readMskToken(token, signedAt - 5 * minute - 1)).toBeNull();
    expect(readMskToken(token, signedAt + 15 * minute - 1)).not.toBeNull();
    expect(readMskToken(token, signedAt + 15 * minute)).toBeNull();
  });

  it('does not keep its signature when anything signed is changed', () => {
    const url = Buffer.from(forge(), 'base64url').toString();
    const isSigned = (text: string): boolean | undefined =>
      readMskToken(Buffer.from(text).toString('base64url'), signedAt)?.isSignedWith(
        secretAccessKey,
      );
    expect(isSigned(url)).toBe(true);
    // What is appended unsigned is the user agent's alone.
    expect(isSigned(url.replace('User-Agent=forger', 'User-Agent=other'))).toBe(true);
    expect(isSigned(`${url}&more=1`)).toBe(false);
    expect(isSigned(url.replace('X-Amz-Expires=900', 'X-Amz-Expires=800'))).toBe(false);
    expect(isSigned(url.replace('AKIDEXAMPLE', 'AKIDOTHER'))).toBe(false);
    expect(isSigned(url.replace(/X-Amz-Signature=[\da-f]{64}/, 'X-Amz-Signature='))).toBe(false);
    expect(isSigned(url.replace(/(X-Amz-Signature=[\da-f]{62})../, '$1'))).toBe(false);
  });

  it.each(['', 'x', '!', 'aHR0cHM6Ly9rYWZrYS', 'é', `aHR0cHM6Ly9rYWZrYS${'A'.repeat(5_000)}`])(
    'is not %j',
    (text) => {
      expect(readMskToken(text, signedAt)).toBeNull();
    },
  );
});
