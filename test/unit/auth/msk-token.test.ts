import { describe, expect, it } from 'vitest';
import { type MskTokenOptions, signMskToken } from '../../../src/auth/msk-token.ts';

const example = {
  region: 'us-east-1',
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  now: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
};

function signed(options: MskTokenOptions): URL {
  return new URL(Buffer.from(signMskToken(options).value, 'base64url').toString());
}

/** Signatures made by diaspora-event-sdk 0.5.1 (Python, Amazon's own signer) of the same keys, regions and times. */
describe('an MSK IAM token', () => {
  it('is the signed URL that Amazon’s own clients make', () => {
    const { href } = signed(example);
    expect(href).toBe(
      'https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fkafka-cluster%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=24ebada2ed545858377591fc84af1a1bff3c40c5e8ab0c1fc85eee156cfb42da&User-Agent=diaspora-logger',
    );
  });

  it('has the session token of temporary credentials among what is signed', () => {
    const { hostname, searchParams } = signed({
      region: 'eu-central-1',
      accessKeyId: 'ASIAEXAMPLE2',
      secretAccessKey: 'x'.repeat(40),
      // All characters that are encoded in one way only.
      sessionToken: "FwoGZXIvYXdzE+/session=token!*'()~ ü",
      now: Date.UTC(2026, 10, 21, 23, 59, 59),
    });
    expect(hostname).toBe('kafka.eu-central-1.amazonaws.com');
    expect(searchParams.get('X-Amz-Security-Token')).toBe("FwoGZXIvYXdzE+/session=token!*'()~ ü");
    expect(searchParams.get('X-Amz-Signature')).toBe(
      'eee7fe5c2815264d38d4fcbe04333a4a891b8f62353049af57d14649a548aabc',
    );
  });

  it('is base64url without padding, and ends 15 minutes after the second in which it was signed', () => {
    const { value, expiresAt } = signMskToken(example);
    expect(value).toMatch(/^[\w-]+$/);
    expect(new Date(expiresAt).toISOString()).toBe('2026-01-02T03:19:05.000Z');
  });

  it('is signed now by default', () => {
    const { now: _, ...options } = example;
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { expiresAt } = signMskToken(options);
    expect(expiresAt).toBeGreaterThanOrEqual(before + 900_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 900_000);
  });

  it('never holds the secret key', () => {
    const text = Buffer.from(signMskToken(example).value, 'base64url').toString();
    expect(decodeURIComponent(text)).not.toContain(example.secretAccessKey);
  });
});
