/** Who signs in from this thread: sources of the same identity share one token and one request. */
import { createHash } from 'node:crypto';
import type { GlobusIdentity } from './globus-identity.ts';
import type { RefreshTokenOrigin } from './refresh-token-origin.ts';

/** How an identity is made, when nobody uses it yet. */
export interface IdentityParts {
  makeOrigin(): RefreshTokenOrigin;
  makeIdentity(origin: RefreshTokenOrigin): GlobusIdentity;
}

/** An identity in use. */
export interface AcquiredIdentity {
  readonly identity: GlobusIdentity;
  /** Resolves once no request of those who used it before is under way: no token is asked for until then. */
  readonly free: Promise<void>;
}

interface Entry {
  /** Stays as long as the process: it may hold a refresh token that has no other place. */
  readonly origin: RefreshTokenOrigin;
  identity: GlobusIdentity | null;
  users: number;
  free: Promise<void>;
}

// The one module-level state: without it, two transports of a process would ask for two tokens at once.
const entries = new Map<string, Entry>();

/** A name for what says who signs in: a digest, since the parts are secrets. */
export function identityKey(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

/** The identity of that name, made where it is not there yet. Each call wants one `releaseIdentity`. */
export function acquireIdentity(key: string, parts: IdentityParts): AcquiredIdentity {
  const entry = entries.get(key) ?? {
    origin: parts.makeOrigin(),
    identity: null,
    users: 0,
    free: Promise.resolve(),
  };
  const identity = entry.identity ?? parts.makeIdentity(entry.origin);
  entry.identity = identity;
  entry.users += 1;
  entries.set(key, entry);
  return { identity, free: entry.free };
}

/** Closes the identity with its last user. */
export function releaseIdentity(key: string): void {
  const entry = entries.get(key);
  if (!entry?.identity) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  const { identity } = entry;
  entry.identity = null;
  identity.close();
  // A closed identity answers once its last request has settled.
  entry.free = Promise.allSettled([entry.free, identity.token()]).then(() => {});
}
