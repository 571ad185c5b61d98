/** The SQLite file of the token store: opened under a lock, kept to its owner, and shared with Python's sqlite3. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  access,
  chmod,
  constants,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  realpath,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import { systemErrorCode } from '../errors.ts';
import { withFileLock } from './file-lock.ts';

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
CREATE TABLE IF NOT EXISTS sdk_storage_adapter_internal (
    attribute VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY (attribute)
);
INSERT OR IGNORE INTO sdk_storage_adapter_internal(attribute, value) VALUES
    ('globus-sdk.version', '4.0.0'),
    ('globus-sdk.database_schema_version', '2');
`;

/** Whether the database has the table of tokens: an empty file is a database without one. */
export function hasTokenTable(database: Database): boolean {
  return database.get("SELECT 1 FROM sqlite_master WHERE name = 'token_storage'") !== null;
}

/** Reads; null where there is no file. One that this process may not write, or not beside, is read as well. */
export async function readDatabase<T>(
  path: string,
  action: (database: Database) => T,
): Promise<T | null> {
  const target = await realpath(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (target === null) return null;
  return (await mayWrite(target)) ? withDatabase(target, action) : withCopy(target, action);
}

/** Writes, in one transaction and with the tables in place. Makes the file, mode 0600, where there is none. */
export async function writeDatabase<T>(
  path: string,
  action: (database: Database) => T,
): Promise<T> {
  await makeWhereMissing(path);
  // SQLite keeps its journal beside the file itself, as Python does, not beside a link to it.
  return withDatabase(await realpath(path), (database) => {
    // What is replaced or removed is a secret: its bytes are not left in free pages (https://sqlite.org/pragma.html#pragma_secure_delete).
    database.exec('PRAGMA secure_delete = ON; BEGIN IMMEDIATE');
    try {
      if (!hasTokenTable(database)) database.exec(schema);
      const answer = action(database);
      database.exec('COMMIT');
      return answer;
    } catch (error) {
      if (database.inTransaction) database.exec('ROLLBACK');
      throw error;
    }
  });
}

async function makeWhereMissing(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
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
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    });
  } finally {
    await unlink(draft);
    await rm(`${draft}.lock`, { recursive: true, force: true });
  }
}

async function withDatabase<T>(path: string, action: (database: Database) => T): Promise<T> {
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

/**
 * Reads a copy, which goes at once: node-sqlite3-wasm makes a directory beside each file that it
 * opens, even for reading. The journal of a transaction that was cut off goes with it, and is rolled back.
 */
async function withCopy<T>(path: string, action: (database: Database) => T): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'diaspora-'));
  try {
    const copy = join(directory, 'storage.db');
    await copyFile(path, copy);
    await copyFile(`${path}-journal`, `${copy}-journal`).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    });
    for (const file of [copy, `${copy}-journal`]) {
      if (existsSync(file)) await chmod(file, 0o600);
    }
    const database = await openDatabase(copy);
    try {
      return action(database);
    } finally {
      database.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function mayWrite(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    await access(dirname(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Loaded when the store is first read: not everybody needs it. */
async function openDatabase(path: string): Promise<Database> {
  const { default: sqlite } = await import('node-sqlite3-wasm');
  return new sqlite.Database(path);
}
