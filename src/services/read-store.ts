/** Reading the token store for the Diaspora service. */
import { reasonOf } from '../auth/failure-reason.ts';
import type { TokenStore } from '../auth/token-store.ts';
import { AuthenticationError } from '../errors.ts';

/**
 * What is read; null where there is no place for a store. Throws `AuthenticationError` with code
 * `TOKEN_STORE_UNUSABLE` for a store that cannot be read: as if it were empty, a new key would be made, which
 * may end one that is in use.
 */
export async function readStore<T>(store: TokenStore, read: () => Promise<T>): Promise<T | null> {
  if (store.directory === null) return null;
  try {
    return await read();
  } catch (error) {
    throw unreadableStore(store, error);
  }
}

export function unreadableStore(store: TokenStore, error: unknown): AuthenticationError {
  // It may have been said of a part of it.
  if (error instanceof AuthenticationError) return error;
  return new AuthenticationError(
    'TOKEN_STORE_UNUSABLE',
    `The token store ${store.path} cannot be read (${reasonOf(error)}): make it readable, or name another directory in DIASPORA_USER_DIR.`,
    false,
    { cause: error },
  );
}
