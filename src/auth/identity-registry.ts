/** Who signs in from this thread: sources of the same identity share one token and one request. */
import { createHash } from 'node:crypto';
import type { GlobusIdentity } from './globus-identity.ts';

interface Entry {
  readonly identity: GlobusIdentity;
  users: number;
}

// The one module-level state: without it, two transports of a process would ask for two tokens at once.
const identities = new Map<string, Entry>();

/** A name for what says who signs in: a digest, since the parts are secrets. */
export function identityKey(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

/** The identity of that name, made where it is not there yet. Each call wants one `releaseIdentity`. */
export function acquireIdentity(key: string, make: () => GlobusIdentity): GlobusIdentity {
  const entry = identities.get(key) ?? { identity: make(), users: 0 };
  entry.users += 1;
  identities.set(key, entry);
  return entry.identity;
}

/** Closes the identity with its last user. */
export function releaseIdentity(key: string): void {
  const entry = identities.get(key);
  if (!entry) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  identities.delete(key);
  entry.identity.close();
}
