/** The token store that the Python SDK keeps too: `~/.diaspora/storage.db`, tables as globus_sdk's SQLiteTokenStorage makes them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { ConfigurationError } from '../errors.ts';
import { defaultIssuer, type Environment } from '../options.ts';
import { eventService } from './globus-service.ts';
import { hasTokenTable, readDatabase, writeDatabase } from './token-database.ts';
import { readRow, type StoredTokens, writeRow } from './token-row.ts';

export type { StoredTokens };

/** Which part of the store belongs to whom. */
export interface TokenStoreOptions {
  readonly issuer: string;
  readonly oauthClientId: string;
  /** Whether the client is a confidential one: it has a part of its own. */
  readonly isService: boolean;
  /** Default `process.env`. */
  readonly env?: Environment;
}

/** The store of whoever signs in so: a confidential client's secret tells that it is one. */
export function storeOf(
  { issuer, oauthClientId, oauthClientSecret }: StoreOwner,
  env: Environment,
): TokenStore {
  return new TokenStore({ issuer, oauthClientId, isService: oauthClientSecret !== undefined, env });
}

interface StoreOwner extends Pick<TokenStoreOptions, 'issuer' | 'oauthClientId'> {
  readonly oauthClientSecret?: string | undefined;
}

/** Makes another row of the present one, or of none; null leaves it as it is. */
type Change = (row: StoredTokens | null) => StoredTokens | null;

/** Reads and writes the store. SQLite is loaded at the first access, not before. */
export class TokenStore {
  readonly #env: Environment;
  readonly #namespace: string;

  constructor({ issuer, oauthClientId, isService, env = process.env }: TokenStoreOptions) {
    this.#env = env;
    // The Python SDK's names; another issuer's tokens stay apart from the real ones, unless an environment is named for them.
    const named = env['DIASPORA_SDK_ENVIRONMENT'] || 'production';
    const environment =
      issuer === defaultIssuer || named !== 'production' ? named : new URL(issuer).host;
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
   * Replaces a resource server's row, the event service's by default, by what `change` makes of it, in one step, and answers
   * whether it did: null leaves it as it is.
   */
  async update(change: Change, resourceServer: string = eventService): Promise<boolean> {
    return writeDatabase(this.path, (database) =>
      updateRow(database, this.#namespace, change, resourceServer),
    );
  }

  /** What replaced a refresh token that was not the store's own, and replaced that one in turn; null where nothing did. */
  async readReplacement(refreshToken: string): Promise<StoredTokens | null> {
    return this.#read(namespaceOfReplacement(refreshToken), eventService);
  }

  /**
   * As `update`, for the row of what replaced a refresh token that was found elsewhere. Where the event service's row holds the
   * token that is replaced as well, it is changed with it: its owner would be signed out otherwise.
   */
  async updateReplacement(refreshToken: string, change: Change): Promise<boolean> {
    return writeDatabase(this.path, (database) => {
      const marker = this.#markerOf(refreshToken);
      const namespace = namespaceOfReplacement(refreshToken);
      const replaced = get(database, namespace, eventService)?.refresh_token ?? refreshToken;
      // Before the row is there, under the lock: who sees it waits for the row, and never sends the dead token.
      writeFileSync(marker, '', { mode: 0o600, flag: 'a' });
      if (!updateRow(database, namespace, change)) return false;
      const replacement = get(database, namespace, eventService)?.refresh_token ?? '';
      // Both: another process still holds the row of before, and so does the store where this one is not committed.
      writeWhole(marker, `${digestOf(replacement)}\n${digestOf(replaced)}`);
      updateRow(database, this.#namespace, (own) =>
        own?.refresh_token === replaced ? change(own) : null,
      );
      return true;
    });
  }

  /** Tokens of every resource server. */
  async readAll(): Promise<readonly StoredTokens[]> {
    const rows = await readDatabase(this.path, (database) =>
      hasTokenTable(database) ? getAll(database, this.#namespace) : [],
    );
    return rows ?? [];
  }

  /** Forgets the tokens of a resource server, and whatever else is kept in its row. */
  async forget(resourceServer: string): Promise<void> {
    await this.#remove('namespace = ? AND resource_server = ?', this.#namespace, resourceServer);
  }

  /** A row for what has no place in those of tokens; null where there is none. */
  async readKeyRow(name: string): Promise<StoredTokens | null> {
    return this.#read(this.#namespaceOfKey(name), eventService);
  }

  /** As `update`, for a row of `readKeyRow`. */
  async updateKeyRow(name: string, change: Change): Promise<boolean> {
    return writeDatabase(this.path, (database) =>
      updateRow(database, this.#namespaceOfKey(name), change),
    );
  }

  /** Whether there are any rows of `readKeyRow`. */
  async hasKeyRows(): Promise<boolean> {
    const row = await readDatabase(this.path, (database) =>
      hasTokenTable(database)
        ? database.get('SELECT 1 FROM token_storage WHERE instr(namespace, ?) = 1 LIMIT 1', [
            this.#namespaceOfKey(''),
          ])
        : null,
    );
    return row !== null;
  }

  /** Forgets a row of `readKeyRow`. */
  async forgetKeyRow(name: string): Promise<void> {
    await this.#remove('namespace = ?', this.#namespaceOfKey(name));
  }

  /** Forgets what replaced a refresh token that is not the store's own. */
  async forgetReplacement(refreshToken: string): Promise<void> {
    if (!this.isReplaced(refreshToken)) return;
    await this.#remove('namespace = ?', namespaceOfReplacement(refreshToken));
    rmSync(this.#markerOf(refreshToken), { force: true });
  }

  /** Whether a replacement was kept for this refresh token, by any process. Loads no SQLite. */
  isReplaced(refreshToken: string): boolean {
    return this.directory !== null && existsSync(this.#markerOf(refreshToken));
  }

  /** Whether `token` is this refresh token, or what replaced it last or before. Loads no SQLite. Throws the system's error. */
  standsFor(refreshToken: string, token: string | null): boolean {
    if (token === refreshToken) return true;
    if (token === null || !this.isReplaced(refreshToken)) return false;
    const digests = readFileSync(this.#markerOf(refreshToken), 'latin1').split('\n');
    return digests.includes(digestOf(token));
  }

  async #read(namespace: string, resourceServer: string): Promise<StoredTokens | null> {
    return readDatabase(this.path, (database) =>
      hasTokenTable(database) ? get(database, namespace, resourceServer) : null,
    );
  }

  async #remove(where: string, ...values: string[]): Promise<void> {
    if (!existsSync(this.path)) return;
    await writeDatabase(this.path, (database) =>
      database.run(`DELETE FROM token_storage WHERE ${where}`, values),
    );
  }

  #namespaceOfKey(name: string): string {
    return `${this.#namespace}/service-key/${name}`;
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

/** For readers that take no lock; all who write hold it. */
function writeWhole(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
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
  return typeof json === 'string' ? readRow(json, resourceServer) : null;
}

function getAll(database: Database, namespace: string): StoredTokens[] {
  const names = database.all('SELECT resource_server FROM token_storage WHERE namespace = ?', [
    namespace,
  ]);
  return names
    .map(({ resource_server: name }) => get(database, namespace, String(name)))
    .filter((row) => row !== null);
}

function put(database: Database, namespace: string, row: StoredTokens): void {
  const present = get(database, namespace, row.resource_server);
  database.run(
    'REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES (?, ?, ?)',
    [namespace, row.resource_server, writeRow(row, present)],
  );
}

function updateRow(
  database: Database,
  namespace: string,
  change: Change,
  resourceServer: string = eventService,
): boolean {
  const row = change(get(database, namespace, resourceServer));
  if (row === null) return false;
  put(database, namespace, row);
  return true;
}
