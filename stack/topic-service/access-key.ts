/**
 * Access keys in the form of AWS's, which need no database: the key's id names its subject and when it was
 * made, and its secret follows from the id and a secret of the service's.
 */
import { createHmac, randomBytes } from 'node:crypto';

const prefix = 'DSPA';
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** 16 bytes of the subject, 6 of the time, 3 by chance: 25 bytes are 40 characters of base 32. */
const form = /^DSPA[A-Z2-7]{40}$/;
const randomLength = 3;

/** What an access key's id says. */
export interface AccessKey {
  readonly id: string;
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** `subject`: a UUID in lower case. */
export function makeAccessKey(subject: string, createdAt: number): AccessKey {
  const time = Buffer.alloc(6);
  time.writeUIntBE(createdAt, 0, 6);
  const bytes = Buffer.concat([
    Buffer.from(subject.replaceAll('-', ''), 'hex'),
    time,
    // Two keys of the same millisecond differ: one that was deleted must not come back.
    randomBytes(randomLength),
  ]);
  return { id: prefix + toBase32(bytes), subject, createdAt };
}

/** Null where it is no access key of this service's form. */
export function readAccessKey(id: string): AccessKey | null {
  if (!form.test(id)) return null;
  const bytes = fromBase32(id.slice(prefix.length));
  const hex = bytes.subarray(0, 16).toString('hex');
  const subject = [8, 12, 16, 20, 32]
    .map((end, index, ends) => hex.slice(ends[index - 1] ?? 0, end))
    .join('-');
  return { id, subject, createdAt: bytes.readUIntBE(16, 6) };
}

/** 40 characters, as AWS's secret access keys have. */
export function secretAccessKey(serviceSecret: string, id: string): string {
  return createHmac('sha256', serviceSecret).update(id).digest().subarray(0, 30).toString('base64');
}

function toBase32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => alphabet.charAt(Number.parseInt(five, 2)))
    .join('');
}

function fromBase32(text: string): Buffer {
  const bits = [...text].map((one) => alphabet.indexOf(one).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}
