import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventService } from '../../../src/auth/globus-service.ts';
import { type KeyOwner, readKey, writeKey } from '../../../src/auth/stored-key.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import { temporaryDirectory } from './signed-in.ts';

const subject = '0f4c1b1e-0000-4000-8000-000000000001';

const storeAt = (home: string): TokenStore =>
  new TokenStore({
    issuer: 'https://auth.globus.org',
    oauthClientId: 'client',
    isService: false,
    env: { DIASPORA_USER_DIR: home },
  });

const ownerOf = (apiVersion: 'v3' | 'v1'): KeyOwner => ({
  apiVersion,
  subject,
  isOwn: ({ identity_id }) => identity_id === null || identity_id === subject,
});

const python = (code: string, ...args: string[]): string =>
  execFileSync('python3', ['-c', code, ...args], { encoding: 'utf8' });

/** What globus_sdk 3 writes at a sign-in: its rows say neither whose they are, nor hold all that version 4 has. */
const tokens = JSON.stringify({
  scope: 'action_all',
  access_token: 'access',
  refresh_token: 'refresh',
  token_type: 'Bearer',
  expires_at_seconds: 1_700_000_000,
  resource_server: eventService,
});

/** The tables and the statement of `Client.put_secret_key` and `create_key`, as versions 0.0.19 and 0.3.8 of the Python SDK have it. */
const putByPython = `
import json, sqlite3, sys
path, server, tokens, fields = sys.argv[1:]
c = sqlite3.connect(path)
c.execute("CREATE TABLE IF NOT EXISTS config_storage (namespace VARCHAR NOT NULL, config_name VARCHAR NOT NULL, config_data_json VARCHAR NOT NULL, PRIMARY KEY (namespace, config_name))")
c.execute("CREATE TABLE IF NOT EXISTS token_storage (namespace VARCHAR NOT NULL, resource_server VARCHAR NOT NULL, token_data_json VARCHAR NOT NULL, PRIMARY KEY (namespace, resource_server))")
tokens = {**json.loads(tokens), **json.loads(fields)}
c.executemany("REPLACE INTO token_storage(namespace, resource_server, token_data_json) VALUES(?, ?, ?)", [("user/production", server, json.dumps(tokens))])
c.commit()
`;

const rowByPython = `
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT token_data_json FROM token_storage WHERE namespace = 'user/production' AND resource_server = ?", (sys.argv[2],)).fetchone()[0])
`;

describe('a key', () => {
  it('that the Python SDK 0.0.19 stored is read', async () => {
    const home = temporaryDirectory();
    python(putByPython, join(home, 'storage.db'), eventService, tokens, '{"secret_key":"S1"}');
    expect(await readKey(storeAt(home), ownerOf('v1'))).toEqual({
      secretKey: 'S1',
      accessKey: null,
      endpoint: null,
      createdAt: null,
    });
    expect(await readKey(storeAt(home), ownerOf('v3'))).toBeNull();
  });

  it('that the Python SDK 0.3.8 stored is read', async () => {
    const home = temporaryDirectory();
    const fields = { access_key: 'A', secret_key: 'S', endpoint: 'b:9198' };
    python(putByPython, join(home, 'storage.db'), eventService, tokens, JSON.stringify(fields));
    expect(await readKey(storeAt(home), ownerOf('v3'))).toEqual({
      secretKey: 'S',
      accessKey: 'A',
      endpoint: 'b:9198',
      createdAt: null,
    });
  });

  it('is put where the Python SDK reads it, and all else in that row stays', async () => {
    const home = temporaryDirectory();
    const path = join(home, 'storage.db');
    python(putByPython, path, eventService, tokens, '{"secret_key":"old","other":[1,{"a":null}]}');
    const key = { secretKey: 'S2', accessKey: null, endpoint: null, createdAt: null };
    await writeKey(storeAt(home), ownerOf('v1'), key);
    expect(JSON.parse(python(rowByPython, path, eventService))).toEqual({
      ...JSON.parse(tokens),
      identity_id: null,
      other: [1, { a: null }],
      secret_key: 'S2',
    });
  });

  it('is put beside that row where nobody signed in: the Python SDK would take it for a sign-in', async () => {
    const home = temporaryDirectory();
    const store = storeAt(home);
    const key = { secretKey: 'S', accessKey: 'A', endpoint: null, createdAt: '2026-01-02' };
    await writeKey(store, ownerOf('v3'), key);
    expect(await store.read(eventService)).toBeNull();
    expect(await store.readAll()).toEqual([]);
    expect(await readKey(store, ownerOf('v3'))).toEqual(key);
  });

  it('of the other version is none, wherever it lies', async () => {
    const store = storeAt(temporaryDirectory());
    const key = { secretKey: 'secret', accessKey: 'AKIA1', endpoint: null, createdAt: null };
    await writeKey(store, ownerOf('v3'), key);
    expect(await readKey(store, ownerOf('v3'))).toEqual(key);
    // As only another program would put it.
    const row = await store.readKeyRow(`v3/${subject}`);
    await store.updateKeyRow(`v1/${subject}`, () => row);
    expect(await readKey(store, ownerOf('v1'))).toBeNull();
  });
});
