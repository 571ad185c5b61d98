/** One way to sign in: as it is meant, and with credentials that are wrong. */
import { randomBytes } from 'node:crypto';
import type { DiagnosticCode } from '../../../src/diagnostics.ts';
import type { ConnectionOptions } from '../../../src/options.ts';
import { announceSecret } from '../../../stack/secrets.ts';

export interface Way {
  readonly name: string;
  /** Owner of the topic, without `User:`. Default: the stack's own user of each listener. */
  readonly owner?: string;
  /** Both are called within a test: what they make ends with it. */
  readonly right: () => Attempt | Promise<Attempt>;
  readonly wrong: WrongAttempt | readonly WrongAttempt[];
}

/** What an app is configured with. */
export interface Attempt {
  readonly options: ConnectionOptions;
  readonly env?: Readonly<Record<string, string>>;
}

export interface WrongAttempt {
  readonly what: string;
  readonly make: () => Attempt | Promise<Attempt>;
  readonly producer: Expected;
  readonly consumer: Expected;
}

/** The first thing said, or what is said first of this code. */
export interface Expected {
  readonly code: DiagnosticCode;
  readonly says: RegExp;
}

/** A secret that no server knows, and that nobody may read anywhere. */
export function madeUpSecret(): string {
  const value = `made-up-${randomBytes(12).toString('hex')}`;
  announceSecret({ kind: 'a made-up secret', value });
  return value;
}
