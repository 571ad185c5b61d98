/** One process of this machine at a time makes a key: two at once would end each other's. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileLock } from '../auth/file-lock.ts';
import type { TokenStore } from '../auth/token-store.ts';

/** The lock is a byte of an empty file: any will do. */
const lockedByte = { offset: 0, length: 1 } as const;

/** Longer than the requests of one process take, in milliseconds. */
const lockTimeoutMs = 120_000;

/** Runs `action` alone. Where no lock can be made, as in a directory that may only be read, it runs all the same. */
export async function whileMakingKeys<T>(store: TokenStore, action: () => Promise<T>): Promise<T> {
  if (store.directory === null) return action();
  const path = join(store.directory, 'service-key.lock');
  const isThere = await open(path, 'a', 0o600).then(
    (file) => file.close().then(() => true),
    () => false,
  );
  return isThere ? withFileLock(path, lockedByte, lockTimeoutMs, action) : action();
}
