/** The token store that the Python SDK keeps too: `~/.diaspora/storage.db`, tables as globus_sdk's SQLiteTokenStorage makes them. */
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { ConfigurationError } from '../errors.ts';
import type { Environment } from '../options.ts';
import { defaultIssuer, eventService } from './globus-service.ts';
import { hasTokenTable, readDatabase, writeDatabase } from './token-database.ts';

/** One row of the store, with globus_sdk's own field names: `TokenStorageData`. */
export interface StoredTokens {
  readonly resource_server: string;
  /** Subject of who signed in. */
  readonly identity_id: string | null;
  readonly scope: string;
  readonly access_token: string;
  readonly refresh_token: string | null;
  /** Seconds since the epoch. */
  readonly expires_at_seconds: number;
  readonly token_type: string | null;
}

/** Which part of the store belongs to whom. */
export interface TokenStoreOptions {
  readonly issuer: string;
  readonly oauthClientId: string;
  /** Whether the client is a confidential one: it has a part of its own. */
  readonly isService: boolean;
  /** Default `process.env`. */
  readonly env?: Environment;
}

/** Reads and writes the store. SQLite is loaded at the first access, not before. */
export class TokenStore {
  readonly #env: Environment;
  readonly #namespace: string;

  constructor({ issuer, oauthClientId, isService, env = process.env }: TokenStoreOptions) {
    this.#env = env;
    // The Python SDK's names; another issuer's tokens (a local stand-in's) stay apart from the real ones.
    const environment =
      issuer === defaultIssuer
        ? env['DIASPORA_SDK_ENVIRONMENT'] || 'production'
        : new URL(issuer).host;
    this.#namespace = isService
      ? `clientprofile/${environment}/${oauthClientId}`
      : `user/${environment}`;
  }

  get namespace(): string {
    return this.#namespace;
  }

  /** Where the store lies; null where neither DIASPORA_USER_DIR nor a home directory is known. */
  get directory(): string | null {
    const own = this.#env['DIASPORA_USER_DIR'];
    if (own) return own;
    // Not os.homedir(): where HOME is missing it answers the password file's, often "/" in a container.
    const home = this.#env['HOME'] || this.#env['USERPROFILE'];
    return home ? join(home, '.diaspora') : null;
  }

  /** Path of the database. Throws `ConfigurationError` where there is no directory for it. */
  get path(): string {
    return this.#inDirectory('storage.db');
  }

  /** The tokens of a resource server; null where there are none. */
  async read(resourceServer: string): Promise<StoredTokens | null> {
    return this.#read(this.#namespace, resourceServer);
  }

  /** Writes tokens, one row a resource server; other rows stay. Makes the store, mode 0600, where there is none. */
  async write(...rows: readonly StoredTokens[]): Promise<void> {
    await writeDatabase(this.path, (database) => {
      for (const row of rows) put(database, this.#namespace, row);
    });
  }

  /** Throws where `write` would: no rows are written. */
  async tryWriting(): Promise<void> {
    await this.write();
  }

  /**
   * Replaces the event service's row by what `change` makes of it, in one step, and answers whether
   * it did: null leaves it as it is.
   */
  async update(change: (row: StoredTokens | null) => StoredTokens | null): Promise<boolean> {
    return writeDatabase(this.path, (database) => updateRow(database, this.#namespace, change));
  }

  /** What replaced a refresh token that was not the store's own, and replaced that one in turn; null where nothing did. */
  async readReplacement(refreshToken: string): Promise<StoredTokens | null> {
    return this.#read(namespaceOfReplacement(refreshToken), eventService);
  }

  /** As `update`, for the row of what replaced a refresh token that is not the store's own. */
  async updateReplacement(
    refreshToken: string,
    change: (row: StoredTokens | null) => StoredTokens | null,
  ): Promise<boolean> {
    return writeDatabase(this.path, (database) => {
      // Before the row is there, under the lock: who sees it waits for the row, and never sends the dead token.
      writeFileSync(this.#markerOf(refreshToken), '', { mode: 0o600 });
      return updateRow(database, namespaceOfReplacement(refreshToken), change);
    });
  }

  /** Whether a replacement was kept for this refresh token, by any process. Loads no SQLite. */
  isReplaced(refreshToken: string): boolean {
    return this.directory !== null && existsSync(this.#markerOf(refreshToken));
  }

  async #read(namespace: string, resourceServer: string): Promise<StoredTokens | null> {
    return readDatabase(this.path, (database) =>
      hasTokenTable(database) ? get(database, namespace, resourceServer) : null,
    );
  }

  #markerOf(refreshToken: string): string {
    return this.#inDirectory(`replaced-${digestOf(refreshToken)}`);
  }

  #inDirectory(name: string): string {
    if (this.directory !== null) return join(this.directory, name);
    throw new ConfigurationError(
      'There is no place for the token store: set DIASPORA_USER_DIR to a directory, or HOME.',
    );
  }
}

const digestOf = (refreshToken: string): string =>
  createHash('sha256').update(refreshToken).digest('hex').slice(0, 16);

/** A part of its own for each token: of two identities with one home directory, each finds what is its own. */
const namespaceOfReplacement = (refreshToken: string): string =>
  `rotated/${digestOf(refreshToken)}`;

function get(database: Database, namespace: string, resourceServer: string): StoredTokens | null {
  const row = database.get(
    'SELECT token_data_json FROM token_storage WHERE namespace = ? AND resource_server = ?',
    [namespace, resourceServer],
  );
  const json = row?.['token_data_json'];
  return typeof json === 'string' ? readStoredTokens(json) : null;
}

function put(database: Database, namespace: string, row: StoredTokens): void {
  database.run(
    'REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)',
    [namespace, row.resource_server, JSON.stringify(row)],
  );
}

function updateRow(
  database: Database,
  namespace: string,
  change: (row: StoredTokens | null) => StoredTokens | null,
): boolean {
  const row = change(get(database, namespace, eventService));
  if (row === null) return false;
  put(database, namespace, row);
  return true;
}

function readStoredTokens(json: string): StoredTokens | null {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof data !== 'object' || data === null) return null;
  const text = (name: string): string | null => {
    const value: unknown = Reflect.get(data, name);
    return typeof value === 'string' ? value : null;
  };
  const expiresAt = 'expires_at_seconds' in data ? Number(data.expires_at_seconds) : 0;
  return {
    resource_server: text('resource_server') ?? '',
    identity_id: text('identity_id'),
    scope: text('scope') ?? '',
    access_token: text('access_token') ?? '',
    refresh_token: text('refresh_token'),
    expires_at_seconds: Number.isFinite(expiresAt) ? expiresAt : 0,
    token_type: text('token_type'),
  };
}
