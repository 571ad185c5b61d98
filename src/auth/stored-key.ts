/** The service key in the token store: in the event service's row, with the Python SDK's field names. */
import { eventService } from './globus-service.ts';
import type { StoredTokens } from './token-row.ts';
import type { TokenStore } from './token-store.ts';

/** A service key as rows hold it. */
export interface StoredKey {
  /** A secret. */
  readonly secretKey: string;
  /** Null for a key of v1, which is a password: the user name is the subject. */
  readonly accessKey: string | null;
  /** Brokers that it is for; null where that is not known. */
  readonly endpoint: string | null;
  readonly createdAt: string | null;
}

/** Which key of whose. */
export interface KeyOwner {
  readonly apiVersion: 'v3' | 'v1';
  /** Null where that is not known. */
  readonly subject: string | null;
  /** Whether the event service's row is this person's: of another's nothing is read, and nothing is put there. */
  isOwn(row: StoredTokens): boolean;
}

/** The key that is stored; null for none. Throws the system's error for a store that cannot be read. */
export async function readKey(store: TokenStore, owner: KeyOwner): Promise<StoredKey | null> {
  if (store.directory === null) return null;
  const shared = await readSharedKey(store, owner);
  if (shared !== null) return shared;
  const own = await store.readKeyRow(nameOf(owner));
  const key = own === null ? null : keyIn(own);
  return key !== null && isOfVersion(key, owner) ? key : null;
}

/** As `readKey`, from the event service's row alone. */
export async function readSharedKey(store: TokenStore, owner: KeyOwner): Promise<StoredKey | null> {
  if (store.directory === null) return null;
  const shared = await store.read(eventService);
  const key = shared === null || !owner.isOwn(shared) ? null : keyIn(shared);
  return key !== null && isOfVersion(key, owner) ? key : null;
}

/**
 * Stores a key: in the event service's row, where the Python SDK reads it. That row may be another
 * person's, or hold a key of the other version, or nobody has signed in: then in a row of its own, which the Python
 * SDK never sees (its first versions take a row without tokens for a sign-in). One that comes without brokers says nothing of
 * them: they are still where the key before it has them.
 */
export async function writeKey(store: TokenStore, owner: KeyOwner, put: StoredKey): Promise<void> {
  const key = { ...put, endpoint: put.endpoint ?? (await readKey(store, owner))?.endpoint ?? null };
  const isShared = await store.update((row) => {
    if (row === null || !owner.isOwn(row)) return null;
    const present = keyIn(row);
    return present !== null && !isOfVersion(present, owner) ? null : withKey(row, key);
  });
  // One place for a key: an earlier one would come back with the next sign-in.
  if (isShared) await store.forgetKeyRow(nameOf(owner));
  else await store.updateKeyRow(nameOf(owner), () => withKey(emptyRow(owner.subject), key));
}

/** Forgets the keys that are not in the event service's row, of both versions. */
export async function forgetKeys(store: TokenStore, subject: string | null): Promise<void> {
  for (const apiVersion of ['v3', 'v1'] as const) {
    await store.forgetKeyRow(nameOf({ apiVersion, subject }));
  }
}

const isOfVersion = (key: StoredKey, { apiVersion }: Pick<KeyOwner, 'apiVersion'>): boolean =>
  (key.accessKey !== null) === (apiVersion === 'v3');

const nameOf = ({ apiVersion, subject }: Pick<KeyOwner, 'apiVersion' | 'subject'>): string =>
  `${apiVersion}/${subject ?? ''}`;

function keyIn({ extra = {} }: StoredTokens): StoredKey | null {
  const text = (name: string): string | null => {
    const value = extra[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const secretKey = text('secret_key');
  if (secretKey === null) return null;
  return {
    secretKey,
    accessKey: text('access_key'),
    endpoint: text('endpoint'),
    createdAt: text('create_date'),
  };
}

function withKey(row: StoredTokens, key: StoredKey): StoredTokens {
  const { secret_key, access_key, endpoint, create_date, ...others } = row.extra ?? {};
  return {
    ...row,
    extra: {
      ...others,
      secret_key: key.secretKey,
      ...(key.accessKey !== null && { access_key: key.accessKey }),
      ...(key.endpoint !== null && { endpoint: key.endpoint }),
      ...(key.createdAt !== null && { create_date: key.createdAt }),
    },
  };
}

const emptyRow = (subject: string | null): StoredTokens => ({
  resource_server: eventService,
  identity_id: subject,
  scope: '',
  access_token: '',
  refresh_token: null,
  expires_at_seconds: 0,
  token_type: null,
});
