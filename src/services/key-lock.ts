/** One process of this machine at a time makes a key: two at once would end each other's. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFile } from '../auth/file-lock.ts';
import type { TokenStore } from '../auth/token-store.ts';
import { AuthenticationError } from '../errors.ts';

export interface KeyLockOptions {
  readonly store: TokenStore;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** The lock is a byte of an empty file: any will do. */
const lockedByte = { offset: 0, length: 1 } as const;

/** Who makes a key asks for a token, for the end of the old key, and for a new one: each up to four times, with 30 s of waiting in between. */
const longestHoldMs = (requestTimeoutMs: number): number => 3 * (4 * requestTimeoutMs + 30_000);

/**
 * Runs `action` alone. Where no lock can be made, as in a directory that may only be read, it runs all the same. Throws
 * `AuthenticationError` where another process holds the lock for longer than making a key takes. Waiting keeps no process alive.
 */
export async function whileMakingKeys<T>(
  { store, requestTimeoutMs, signal }: KeyLockOptions,
  action: () => Promise<T>,
): Promise<T> {
  if (store.directory === null) return action();
  const path = join(store.directory, 'service-key.lock');
  const isThere = await open(path, 'a', 0o600).then(
    (file) => file.close().then(() => true),
    () => false,
  );
  if (!isThere) return action();
  const lock = await lockFile(path, lockedByte, longestHoldMs(requestTimeoutMs), signal);
  if (lock === null) {
    if (signal.aborted) throw new AuthenticationError('CLOSED', 'Closed meanwhile.', false);
    throw new AuthenticationError(
      'TOKEN_STORE_UNUSABLE',
      `Another process is making a service key, and does not come to its end: it holds the lock on ${path}.`,
      true,
    );
  }
  try {
    return await action();
  } finally {
    await lock.close();
  }
}
