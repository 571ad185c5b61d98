/** The service key of one person: stored, asked of the Diaspora service, or made by it. */
import { reasonOf } from '../auth/failure-reason.ts';
import {
  type KeyOwner,
  readKey,
  readSharedKey,
  type StoredKey,
  writeKey,
} from '../auth/stored-key.ts';
import type { TokenStore } from '../auth/token-store.ts';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import type { ResolvedDiaspora } from '../options.ts';
import { keyIn } from './key-answer.ts';
import { type KeyLockOptions, whileMakingKeys } from './key-lock.ts';
import { readStore } from './read-store.ts';
import { isSameKey, isSamePlaceAndKey, type ServiceKey } from './service-key.ts';
import type { ServiceRequests } from './service-requests.ts';
import { isRowOf, unknownSubject } from './subject.ts';

export interface ServiceKeysOptions extends KeyLockOptions {
  readonly auth: ResolvedDiaspora;
  readonly requests: ServiceRequests;
  /** Null where it is not known. */
  readonly subject: () => Promise<string | null>;
}

/** Each method throws what `ServiceRequests.ask` throws, and that of `unknownSubject`. */
export class ServiceKeys {
  readonly #options: ServiceKeysOptions;

  constructor(options: ServiceKeysOptions) {
    this.#options = options;
  }

  /** The stored key; null for none. Asks nothing of the service. */
  async stored(): Promise<ServiceKey | null> {
    const { store, auth } = this.#options;
    // A row that does not say whose it is goes with the sign-in: Globus Auth is not waited for.
    const unnamed = await readStore(store, () => readSharedKey(store, this.#owner(null)));
    if (unnamed !== null && auth.apiVersion === 'v3') return keyOf(unnamed, '');
    // Of most other rows it is known without it: a stored key serves while Globus Auth cannot be asked.
    let failure: unknown = null;
    const subject = await this.#options.subject().catch((error: unknown) => {
      failure = error;
      return null;
    });
    const key = unnamed ?? (await readStore(store, () => readKey(store, this.#owner(subject))));
    if (key === null && failure !== null) throw failure;
    if (key === null) return null;
    if (subject === null && auth.apiVersion === 'v1') throw failure ?? unknownSubject(auth);
    return keyOf(key, subject ?? '');
  }

  /** The stored key; where there is none, v3's present one or a new one. */
  async present(): Promise<ServiceKey> {
    const stored = await this.stored();
    if (stored !== null) return stored;
    if (this.#options.auth.apiVersion === 'v3') return this.ask(null);
    return this.#makeScramKey({ unlessStored: true });
  }

  /**
   * v3's present key, of the service: no other ends by that, and a new one is made only where there is none. `seen` is what
   * was stored before; where that is another one by the time of the answer, it is the newer one, and stays. So do the brokers that are
   * stored for the same key: a person may have put them there, and the service's are only answered.
   */
  async ask(seen: ServiceKey | null): Promise<ServiceKey> {
    const subject = await this.#requireSubject();
    const purpose = 'to give the access key';
    const key = await this.#send('POST', '/api/v3/key', purpose, subject);
    const stored = await this.stored();
    const isNewer = stored !== null && (seen === null || !isSamePlaceAndKey(stored, seen));
    if (stored?.endpoint && isSameKey(stored, key)) {
      return isNewer ? { ...key, endpoint: stored.endpoint } : withEndpoint(key, stored);
    }
    if (isNewer && !isSameKey(stored, key)) return stored;
    // A store that cannot be written costs another request at the next start.
    return this.#keep(subject, key).catch(() => key);
  }

  /** A new key. Earlier ones end: nothing is asked for where the new one could not be kept, unless there is no place for a store. */
  async create(): Promise<ServiceKey> {
    if (this.#options.auth.apiVersion === 'v1') return this.#makeScramKey({ unlessStored: false });
    const { store } = this.#options;
    const subject = await this.#requireSubject();
    if (store.directory !== null) await this.#tryKeeping();
    return whileMakingKeys(this.#options, async () => {
      await this.#requestEnd(subject);
      const purpose = 'to make an access key';
      const key = await this.#send('POST', '/api/v3/key', purpose, subject);
      // Made since the end of the earlier ones, whoever asked first.
      return this.#keep(subject, { ...key, fresh: true });
    });
  }

  /** Stores a key that was made elsewhere. */
  async put(key: StoredKey): Promise<ServiceKey> {
    const { auth } = this.#options;
    const subject =
      auth.apiVersion === 'v1' ? await this.#requireSubject() : await this.#options.subject();
    await this.#write(subject, key);
    const stored = await this.stored();
    if (stored === null)
      throw new Error('The token store has forgotten the key that was put into it.');
    return stored;
  }

  /**
   * The service makes a new password each time, and ends the one before: only one process of this machine makes one, and
   * only where it can be kept. Without that, each process would end the other's at its start.
   */
  async #makeScramKey({ unlessStored }: { readonly unlessStored: boolean }): Promise<ServiceKey> {
    const subject = await this.#requireSubject();
    await this.#tryKeeping();
    return whileMakingKeys(this.#options, async () => {
      const stored = unlessStored ? await this.stored() : null;
      if (stored !== null) return stored;
      return this.#keep(
        subject,
        await this.#send('POST', '/v1/create_key', 'to make a key', subject),
      );
    });
  }

  async #requestEnd(subject: string): Promise<void> {
    await this.#options.requests.ask({
      method: 'DELETE',
      path: '/api/v3/key',
      purpose: 'to end the access key',
      subject,
      repeatable: true,
    });
  }

  async #send(method: 'POST', path: string, purpose: string, subject: string): Promise<ServiceKey> {
    // v1 makes another key at each request: a repeat that comes late would end the one that is handed out.
    const repeatable = path !== '/v1/create_key';
    const done = await this.#options.requests.ask({ method, path, purpose, subject, repeatable });
    return keyIn(done, this.#options.auth.apiVersion, subject);
  }

  async #keep(subject: string, answered: ServiceKey): Promise<ServiceKey> {
    if (this.#options.store.directory === null) return answered;
    const key = answered.endpoint ? answered : withEndpoint(answered, await this.stored());
    await this.#write(subject, storedForm(key));
    return key;
  }

  async #write(subject: string | null, key: StoredKey): Promise<void> {
    const { store } = this.#options;
    await writeKey(store, this.#owner(subject), key).catch((error: unknown) => {
      throw unwritable(store, 'The key could not be kept', error);
    });
  }

  async #tryKeeping(): Promise<void> {
    const { store } = this.#options;
    await store.tryWriting().catch((error: unknown) => {
      throw unwritable(store, 'No key was made, since it could not be kept', error);
    });
  }

  #owner(subject: string | null): KeyOwner {
    const { apiVersion } = this.#options.auth;
    return { apiVersion, subject, isOwn: (row) => isRowOf(this.#options, subject, row) };
  }

  async #requireSubject(): Promise<string> {
    const subject = await this.#options.subject();
    if (subject === null) throw unknownSubject(this.#options.auth);
    return subject;
  }
}

/** Where the service names no brokers, they are still where the store has them. */
const withEndpoint = (key: ServiceKey, stored: ServiceKey | null): ServiceKey =>
  key.endpoint || !stored?.endpoint ? key : { ...key, endpoint: stored.endpoint };

/** `subject` is v1's user name. */
function keyOf(
  { secretKey, accessKey, endpoint, createdAt }: StoredKey,
  subject: string,
): ServiceKey {
  if (accessKey === null) {
    return { version: 'v1', username: subject, secretKey, endpoint, fresh: false };
  }
  return {
    version: 'v3',
    accessKey,
    secretKey,
    endpoint: endpoint ?? '',
    createdAt,
    fresh: false,
  };
}

function storedForm(key: ServiceKey): StoredKey {
  const { secretKey } = key;
  if (key.version === 'v1') {
    return { secretKey, accessKey: null, endpoint: key.endpoint, createdAt: null };
  }
  const { accessKey, endpoint, createdAt } = key;
  return { secretKey, accessKey, endpoint: endpoint === '' ? null : endpoint, createdAt };
}

function unwritable(store: TokenStore, what: string, error: unknown): Error {
  // There is no directory for it, or a part of it cannot be read: the message says what to do.
  if (error instanceof ConfigurationError || error instanceof AuthenticationError) return error;
  return new AuthenticationError(
    'TOKEN_STORE_UNUSABLE',
    `${what}: the token store ${store.path} cannot be written (${reasonOf(error)}). Make it writable, or name another directory in DIASPORA_USER_DIR.`,
    false,
    { cause: error },
  );
}
