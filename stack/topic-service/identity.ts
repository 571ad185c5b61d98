/** Who asks: a subject of Globus, and everything that follows from it. */
import { Refusal } from './refusal.ts';

/** Somebody whose access token was checked. */
export interface Identity {
  /** The `sub` claim: a UUID in lower case. */
  readonly subject: string;
  /** Whom brokers take this person's Globus tokens for. */
  readonly username: string | null;
}

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** A user name of Globus. Never `*`, which would stand for everybody in Kafka's access control. */
const usernameForm = /^[^\s\p{C}@*]+@[^\s\p{C}@*]+$/u;

/** @throws Refusal where it is no UUID. */
export function readSubject(text: string): string {
  const subject = text.trim().toLowerCase();
  if (!uuid.test(subject)) {
    throw new Refusal(
      400,
      'SUBJECT_INVALID',
      'The subject claim must be a UUID: request-token prints it beside the access token.',
      { field: 'subject_claim' },
    );
  }
  return subject;
}

export const isSubject = (text: string): boolean => uuid.test(text);
export const isUsername = (text: string): boolean => text.length <= 320 && usernameForm.test(text);

/**
 * How Kafka names this person: by subject where a service key signs in, and by the whole user name where
 * a Globus token does. An owner's rights are given to both.
 */
export function principalsOf({ subject, username }: Identity): string[] {
  const names = username === null ? [subject] : [subject, username];
  return names.map((name) => `User:${name}`);
}

/** Where the subject's topics of v3 are: `ns-` and the last 12 hex digits, as the public service has it. */
export const namespaceOf = (subject: string): string => `ns-${subject.slice(-12)}`;
