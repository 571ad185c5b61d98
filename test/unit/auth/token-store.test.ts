import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { type StoredTokens, TokenStore } from '../../../src/auth/token-store.ts';
import { temporaryDirectory } from './signed-in.ts';

const row = (more: Partial<StoredTokens> = {}): StoredTokens => ({
  resource_server: eventService,
  identity_id: '0f4c1b1e-0000-4000-8000-000000000001',
  scope: 'action_all',
  access_token: 'access',
  refresh_token: 'refresh "ü"',
  expires_at_seconds: 1_700_000_000,
  token_type: 'Bearer',
  ...more,
});

const storeAt = (home: string, more: object = {}): TokenStore =>
  new TokenStore({
    issuer: 'https://auth.globus.org',
    oauthClientId: 'client',
    isService: false,
    env: { DIASPORA_USER_DIR: home },
    ...more,
  });

const python = (code: string, ...args: string[]): string =>
  execFileSync('python3', ['-c', code, ...args], { encoding: 'utf8' });

describe('the token store', () => {
  it("is a file that Python's sqlite3 reads, with the tables of globus_sdk", async () => {
    const store = storeAt(join(temporaryDirectory(), 'home'));
    await store.write(row(), row({ resource_server: 'auth.globus.org' }));
    const out: unknown = JSON.parse(
      python(
        `import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
print(json.dumps({
  'tables': [r[0] for r in c.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")],
  'version': c.execute("SELECT value FROM sdk_storage_adapter_internal WHERE attribute = 'globus-sdk.database_schema_version'").fetchone()[0],
  'rows': [[r[0], r[1], json.loads(r[2])] for r in c.execute("SELECT * FROM token_storage ORDER BY resource_server")],
}))`,
        store.path,
      ),
    );
    expect(out).toEqual({
      tables: ['sdk_storage_adapter_internal', 'token_storage'],
      version: '2',
      rows: [
        ['user/production', eventService, row()],
        ['user/production', 'auth.globus.org', row({ resource_server: 'auth.globus.org' })],
      ],
    });
  });

  it('reads what Python wrote, and leaves its other rows alone', async () => {
    const home = temporaryDirectory();
    const path = join(home, 'storage.db');
    python(
      `import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("CREATE TABLE token_storage (namespace VARCHAR NOT NULL, resource_server VARCHAR NOT NULL, token_data_json VARCHAR NOT NULL, PRIMARY KEY (namespace, resource_server))")
c.execute("INSERT INTO token_storage VALUES ('user/production', ?, ?)", (sys.argv[2], sys.argv[3]))
c.execute("INSERT INTO token_storage VALUES ('user/other', 'x', '{}')")
c.commit()`,
      path,
      eventService,
      JSON.stringify(row()),
    );
    const store = storeAt(home);
    expect(await store.read(eventService)).toEqual(row());
    await store.write(row({ refresh_token: 'new' }));
    expect((await store.read(eventService))?.refresh_token).toBe('new');
    expect(await store.read('nobody')).toBeNull();
    const count = python(
      `import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM token_storage').fetchone()[0])`,
      path,
    );
    expect(count.trim()).toBe('2');
  });

  it('is for its owner alone, and leaves nothing beside it', async () => {
    const home = join(temporaryDirectory(), 'deep', 'home');
    const store = storeAt(home);
    await store.write(row());
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(statSync(store.path).mode & 0o777).toBe(0o600);
    chmodSync(store.path, 0o644);
    await store.write(row());
    expect(statSync(store.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(home)).toEqual(['storage.db']);
  });

  it('that may only be read is read, and left as it is', async () => {
    const home = temporaryDirectory();
    const store = storeAt(home);
    await store.write(row());
    const before = readFileSync(store.path);
    chmodSync(store.path, 0o440);
    chmodSync(home, 0o555);
    onTestFinished(() => chmodSync(home, 0o755));
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', readingProgram],
      { env: { PATH: process.env['PATH'], DIASPORA_USER_DIR: home } },
    );
    // Root may write everywhere: the program becomes somebody else, whose file this is.
    if (process.getuid?.() === 0) {
      chownSync(store.path, nobody, nobody);
      chownSync(home, nobody, nobody);
    }
    child.stdin.end('\n');
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({ row: row(), writing: 'EACCES' });
    expect(readFileSync(store.path)).toEqual(before);
    expect(statSync(store.path).mode & 0o777).toBe(0o440);
    expect(readdirSync(home)).toEqual(['storage.db']);
  });

  it('that is an empty file gets its tables', async () => {
    const store = storeAt(temporaryDirectory());
    writeFileSync(store.path, '');
    expect(await store.read(eventService)).toBeNull();
    await store.write(row());
    expect(await store.read(eventService)).toEqual(row());
    const version = python(
      `import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT value FROM sdk_storage_adapter_internal WHERE attribute = 'globus-sdk.database_schema_version'").fetchone()[0])`,
      store.path,
    );
    expect(version.trim()).toBe('2');
  });

  it('behind a link has its journal beside the file, where Python looks for it', async () => {
    const directory = temporaryDirectory();
    const target = join(directory, 'real.db');
    await storeAt(directory).write(row());
    const store = storeAt(temporaryDirectory());
    symlinkSync(join(directory, 'storage.db'), target);
    symlinkSync(target, store.path);
    await store.update((present) => {
      expect(existsSync(join(directory, 'storage.db-journal'))).toBe(true);
      expect(existsSync(`${store.path}-journal`)).toBe(false);
      return present && { ...present, refresh_token: 'new' };
    });
    expect((await storeAt(directory).read(eventService))?.refresh_token).toBe('new');
  });

  it('changes a row in one step, or leaves it', async () => {
    const store = storeAt(temporaryDirectory());
    expect(await store.update(() => null)).toBe(false);
    expect(await store.read(eventService)).toBeNull();
    expect(await store.update((present) => present ?? row())).toBe(true);
    expect(await store.read(eventService)).toEqual(row());
  });

  it('keeps fields of others in a row that it replaces, unless it becomes another person’s', async () => {
    const store = storeAt(temporaryDirectory());
    await store.write(row({ extra: { secret_key: 'S', own: { deep: [1] } } }));
    const kept = { secret_key: 'S', own: { deep: [1] } };
    await store.write(row({ refresh_token: 'new' }));
    expect(await store.read(eventService)).toEqual(row({ refresh_token: 'new', extra: kept }));
    await store.update((present) => present && row({ access_token: 'next' }));
    expect(await store.read(eventService)).toEqual(row({ access_token: 'next', extra: kept }));
    await store.write(row({ identity_id: null }));
    expect((await store.read(eventService))?.extra).toEqual(kept);
    await store.write(row(), row({ resource_server: 'auth.globus.org' }));
    await store.write(row({ identity_id: 'somebody else' }));
    expect(await store.read(eventService)).toEqual(row({ identity_id: 'somebody else' }));
  });

  it('forgets a row, and leaves none of its bytes in the file', async () => {
    const store = storeAt(temporaryDirectory());
    const secret = 'secret-that-is-to-be-forgotten';
    await store.write(row({ refresh_token: secret.repeat(200) }));
    await store.write(row({ resource_server: 'auth.globus.org', access_token: secret }));
    await store.updateKeyRow('v1/ann', () => row({ extra: { secret_key: secret } }));
    await store.updateReplacement('ann', () => row({ refresh_token: secret }));
    expect((await store.readAll()).map((one) => one.resource_server).sort()).toEqual([
      eventService,
      'auth.globus.org',
    ]);
    await store.write(row());
    await store.forget('auth.globus.org');
    await store.forgetKeyRow('v1/ann');
    await store.forgetReplacement('ann');
    expect(await store.readAll()).toEqual([row()]);
    expect(await store.readKeyRow('v1/ann')).toBeNull();
    expect(store.isReplaced('ann')).toBe(false);
    expect(await store.readReplacement('ann')).toBeNull();
    expect(readFileSync(store.path, 'latin1')).not.toContain('to-be-forgotten');
    await store.forget('nobody');
    await storeAt(temporaryDirectory()).forget('nobody');
  });

  it('keeps what replaced a token apart from what Python asks for', async () => {
    const store = storeAt(temporaryDirectory());
    await store.write(row());
    expect(store.isReplaced('ann')).toBe(false);
    await store.updateReplacement('ann', () => {
      // Whoever has this token waits for the row now, and never sends it again.
      expect(store.isReplaced('ann')).toBe(true);
      return row({ refresh_token: "ann's next" });
    });
    await store.updateReplacement('bob', () => row({ refresh_token: "bob's next" }));
    expect((await store.readReplacement('ann'))?.refresh_token).toBe("ann's next");
    expect((await store.readReplacement('bob'))?.refresh_token).toBe("bob's next");
    expect(await store.read(eventService)).toEqual(row());
    const namespaces = python(
      `import sqlite3, sys
for r in sqlite3.connect(sys.argv[1]).execute("SELECT namespace FROM token_storage ORDER BY namespace LIKE 'rotated/%'"): print(r[0])`,
      store.path,
    );
    expect(namespaces).toMatch(/^user\/production\nrotated\/[\da-f]{16}\nrotated\/[\da-f]{16}\n$/);
  });

  it('is not stopped by a lock directory that a killed process left', async () => {
    const store = storeAt(temporaryDirectory());
    await store.write(row());
    mkdirSync(`${store.path}.lock`);
    await store.write(row({ refresh_token: 'second' }));
    expect((await store.read(eventService))?.refresh_token).toBe('second');
    expect(existsSync(`${store.path}.lock`)).toBe(false);
  });

  it('takes many writers at once', async () => {
    const home = temporaryDirectory();
    const names = Array.from({ length: 20 }, (_, index) => `server-${index}`);
    await Promise.all(names.map((name) => storeAt(home).write(row({ resource_server: name }))));
    for (const name of names) expect(await storeAt(home).read(name)).not.toBeNull();
  });

  it('waits for a transaction of Python, and then sees what it wrote', async () => {
    const store = storeAt(temporaryDirectory());
    await store.write(row());
    const writer = spawn('python3', [
      '-c',
      `import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.readline()
c.execute("UPDATE token_storage SET token_data_json = ?", (sys.argv[2],))
c.execute('COMMIT')`,
      store.path,
      JSON.stringify(row({ refresh_token: 'by Python' })),
    ]);
    await once(writer.stdout, 'data');
    const reading = store.read(eventService);
    writer.stdin.end('\n');
    expect((await reading)?.refresh_token).toBe('by Python');
    if (writer.exitCode === null) await once(writer, 'exit');
    expect(writer.exitCode).toBe(0);
  });

  it('has a part for each client, environment and issuer, named as the Python SDK names them', () => {
    const home = '/nowhere';
    expect(storeAt(home).namespace).toBe('user/production');
    expect(storeAt(home, { isService: true }).namespace).toBe('clientprofile/production/client');
    expect(
      storeAt(home, { env: { DIASPORA_USER_DIR: home, DIASPORA_SDK_ENVIRONMENT: 'local' } })
        .namespace,
    ).toBe('user/local');
    const issuer = 'http://127.0.0.1:8080';
    expect(storeAt(home, { issuer }).namespace).toBe('user/127.0.0.1:8080');
    // Python asks for the environment alone, whichever Globus Auth is behind it.
    for (const [named, namespace] of [
      ['local', 'user/local'],
      ['production', 'user/127.0.0.1:8080'],
    ]) {
      const env = { DIASPORA_USER_DIR: home, DIASPORA_SDK_ENVIRONMENT: named };
      expect(storeAt(home, { issuer, env }).namespace).toBe(namespace);
    }
  });

  it('says what is missing where there is no home', async () => {
    const store = storeAt('', { env: {} });
    expect(() => store.path).toThrow(/DIASPORA_USER_DIR/);
    expect(store.isReplaced('x')).toBe(false);
    expect(storeAt('', { env: { HOME: '/home/x' } }).path).toBe('/home/x/.diaspora/storage.db');
  });
});

const nobody = 65_534;

const readingProgram = `
import { once } from 'node:events';
import { TokenStore } from ${JSON.stringify(new URL('../../../src/auth/token-store.ts', import.meta.url).href)};
await once(process.stdin, 'data');
process.stdin.destroy();
if (process.getuid() === 0) { process.setgid(${nobody}); process.setuid(${nobody}); }
const store = new TokenStore({ issuer: 'https://auth.globus.org', oauthClientId: 'client', isService: false });
const row = await store.read('${eventService}');
const writing = await store.write(row).then(() => 'done', (error) => error.code);
console.log(JSON.stringify({ row, writing }));
`;
