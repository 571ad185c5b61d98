/** The token store that the Python SDK keeps too: `~/.diaspora/storage.db`, tables as globus_sdk's SQLiteTokenStorage makes them. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, open, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { ConfigurationError } from '../errors.ts';
import type { Environment } from '../options.ts';
import { withFileLock } from './file-lock.ts';
import { defaultIssuer } from './globus-service.ts';

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

/** Bytes that SQLite itself locks (https://sqlite.org/src/file/src/os.h: PENDING_BYTE and what follows). */
const sqliteLockBytes = { offset: 0x4000_0000, length: 512 } as const;

/** Python's sqlite3 waits 5 s by default; twice that. */
const lockTimeoutMs = 10_000;

/** What globus_sdk 4 writes into a new store. */
const schema = `
CREATE TABLE token_storage (
    namespace VARCHAR NOT NULL,
    resource_server VARCHAR NOT NULL,
    token_data_json VARCHAR NOT NULL,
    PRIMARY KEY (namespace, resource_server)
);
CREATE TABLE sdk_storage_adapter_internal (
    attribute VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY (attribute)
);
INSERT INTO sdk_storage_adapter_internal(attribute, value) VALUES
    ('globus-sdk.version', '4.0.0'),
    ('globus-sdk.database_schema_version', '2');
`;

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

  /** Path of the database. Throws `ConfigurationError` where neither DIASPORA_USER_DIR nor a home directory is known. */
  get path(): string {
    return join(this.#directory(), 'storage.db');
  }

  /** The tokens of a resource server; null where there are none. */
  async read(resourceServer: string): Promise<StoredTokens | null> {
    if (!existsSync(this.path)) return null;
    return this.#withDatabase((database) => {
      const table = database.get("SELECT 1 FROM sqlite_master WHERE name = 'token_storage'");
      if (table === null) return null;
      const row = database.get(
        'SELECT token_data_json FROM token_storage WHERE namespace = ? AND resource_server = ?',
        [this.#namespace, resourceServer],
      );
      const json = row?.['token_data_json'];
      return typeof json === 'string' ? readStoredTokens(json) : null;
    });
  }

  /** Writes tokens, one row a resource server; other rows stay. Makes the store, mode 0600, where there is none. */
  async write(...rows: readonly StoredTokens[]): Promise<void> {
    await this.#makeWhereMissing();
    await this.#withDatabase((database) => {
      database.exec('BEGIN IMMEDIATE');
      try {
        for (const row of rows) {
          database.run(
            'REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)',
            [this.#namespace, row.resource_server, JSON.stringify(row)],
          );
        }
        database.exec('COMMIT');
      } catch (error) {
        if (database.inTransaction) database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Notes that the store holds what came after this refresh token, which is dead, and must not be sent again. */
  async markReplaced(refreshToken: string): Promise<void> {
    await writeFile(this.#markerOf(refreshToken), '', { mode: 0o600 });
  }

  /** Whether `markReplaced` was called for this refresh token, by any process. Loads no SQLite. */
  isReplaced(refreshToken: string): boolean {
    try {
      return existsSync(this.#markerOf(refreshToken));
    } catch {
      // No directory for a store: then nothing was replaced there.
      return false;
    }
  }

  #markerOf(refreshToken: string): string {
    const digest = createHash('sha256').update(refreshToken).digest('hex').slice(0, 16);
    return join(this.#directory(), `replaced-${digest}`);
  }

  #directory(): string {
    const own = this.#env['DIASPORA_USER_DIR'];
    if (own) return own;
    // Not os.homedir(): where HOME is missing it answers the password file's, often "/" in a container.
    const home = this.#env['HOME'] || this.#env['USERPROFILE'];
    if (home) return join(home, '.diaspora');
    throw new ConfigurationError(
      'There is no place for the token store: set DIASPORA_USER_DIR to a directory, or HOME.',
    );
  }

  async #makeWhereMissing(): Promise<void> {
    const { path } = this;
    await mkdir(this.#directory(), { recursive: true, mode: 0o700 });
    if (existsSync(path)) return;
    // Complete before it has its name: Python makes no tables in a file that exists already.
    const draft = `${path}.${randomUUID()}`;
    await (await open(draft, 'wx', 0o600)).close();
    try {
      const database = await openDatabase(draft);
      try {
        // The file is nobody else's yet: without a journal nothing is made beside it.
        database.exec(`PRAGMA journal_mode = MEMORY; ${schema}`);
      } finally {
        database.close();
      }
      await link(draft, path).catch((error: unknown) => {
        if (!hasCode(error, 'EEXIST')) throw error;
      });
    } finally {
      await unlink(draft);
      await rm(`${draft}.lock`, { recursive: true, force: true });
    }
  }

  async #withDatabase<T>(action: (database: Database) => T): Promise<T> {
    const { path } = this;
    const locked = process.platform === 'linux' ? path : `${path}.node-lock`;
    if (locked !== path) await (await open(locked, 'a', 0o600)).close();
    return withFileLock(locked, sqliteLockBytes, lockTimeoutMs, async () => {
      // Everybody who makes this directory holds the lock: what is there was left by a process that was killed.
      await rm(`${path}.lock`, { recursive: true, force: true });
      if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
      // SQLite would make its journal, which holds old rows, with the process's own umask.
      await (await open(`${path}-journal`, 'a', 0o600)).close();
      const database = await openDatabase(path);
      try {
        return action(database);
      } finally {
        database.close();
        const journal = await stat(`${path}-journal`).catch(() => null);
        if (journal?.size === 0) await unlink(`${path}-journal`).catch(() => {});
      }
    });
  }
}

/** Loaded when the store is first read: who has DIASPORA_REFRESH never needs it. */
async function openDatabase(path: string): Promise<Database> {
  const { default: sqlite } = await import('node-sqlite3-wasm');
  return new sqlite.Database(path);
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

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
