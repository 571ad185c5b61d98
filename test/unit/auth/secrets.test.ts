import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { TokenEndpoint } from '../../../src/auth/token-endpoint.ts';
import { type Globus, startGlobus, type TokenFault } from '../../../stack/globus.ts';
import { confidentialClient, nativeAppClientId } from '../../../stack/globus-facts.ts';
import { sourceOf, temporaryDirectory } from './signed-in.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

/** A secret as it is, and in the forms in which a request carries it. */
function forms(secret: string): string[] {
  const form = encodeURIComponent(secret);
  return [
    secret,
    form,
    form.replace(/%20/g, '+'),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    Buffer.from(`${confidentialClient.clientId}:${form.replace(/%20/g, '+')}`).toString('base64'),
    Buffer.from(secret).toString('hex'),
    JSON.stringify([...Buffer.from(secret)]).slice(1, -1),
  ];
}

/** Everything that a curious reader of an object gets to see. */
const shown = (value: unknown): string =>
  [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    value instanceof Error ? (value.stack ?? '') : '',
    String(JSON.stringify(value)),
    String(value),
  ].join('\n');

const secretRefreshToken = 'Ag+secret/refresh token&=ü%';

const faults: (TokenFault | null)[] = [
  null,
  { kind: 'status', status: 503, retryAfter: '0' },
  { kind: 'status', status: 404 },
  { kind: 'status', status: 400, error: 'invalid_grant' },
  { kind: 'status', status: 401, error: 'invalid_client' },
  { kind: 'status', status: 400, error: secretRefreshToken },
  { kind: 'disconnect' },
  { kind: 'garbage' },
  { kind: 'hang' },
];

it.each(faults)('no secret is in what is said about %j', async (fault) => {
  await globus.failTokens(fault);
  const clients = [
    { oauthClientId: nativeAppClientId },
    {
      oauthClientId: confidentialClient.clientId,
      oauthClientSecret: confidentialClient.clientSecret,
    },
  ];
  await Promise.all(
    clients.map(async (client) => {
      const refreshTokenFile = join(temporaryDirectory(), 'refresh');
      writeFileSync(refreshTokenFile, `${secretRefreshToken} in a file`);
      const { source, heard } = sourceOf(
        globus,
        { ...client, refreshToken: secretRefreshToken, refreshTokenFile },
        { requestTimeoutMs: 100 },
      );
      const error: unknown = await source.token().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      const seen = [source, error, heard.events].map(shown).join('\n');
      for (const secret of [secretRefreshToken, confidentialClient.clientSecret]) {
        for (const form of forms(secret)) expect(seen).not.toContain(form);
      }
    }),
  );
});

it('a source that holds a good token does not show it', async () => {
  const { refreshToken } = await globus.signIn();
  const { source, heard } = sourceOf(globus, { refreshToken });
  const { value } = await source.token();
  const seen = shown(source) + shown(heard.events);
  expect(seen).not.toContain(refreshToken);
  expect(seen).not.toContain(value);
});

it('a client secret that OAuth does not allow is refused without being quoted', () => {
  const secret = 'geheim\u00fc';
  const make = (): unknown =>
    new TokenEndpoint({ issuer: globus.issuer, oauthClientId: 'x', oauthClientSecret: secret });
  expect(make).toThrow(/auth.oauthClientSecret/);
  expect(make).not.toThrow(new RegExp(secret));
});

it('DEBUG=* prints no request, and the process ends by itself with a renewal ahead', async () => {
  const { refreshToken } = await globus.signIn();
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    env: {
      PATH: process.env['PATH'],
      DEBUG: '*',
      DEBUG_COLORS: '0',
      ISSUER: globus.issuer,
      DIASPORA_REFRESH: refreshToken,
      DIASPORA_USER_DIR: temporaryDirectory(),
    },
  });
  const [out, seen] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  const { value, sqliteLoaded } = JSON.parse(out.trim().split('\n').at(-1) ?? '{}');
  expect(value).toHaveLength(43);
  expect(sqliteLoaded).toBe(false);
  expect(seen).not.toContain(refreshToken);
  expect(seen).not.toContain(value);
  // The app's own debug output goes on.
  expect(seen).toContain('the app still speaks');
});

const program = `
import { createRequire } from 'node:module';
import createDebug from 'debug';
import { createTokenSource } from ${JSON.stringify(new URL('../../../src/auth/token-source.ts', import.meta.url).href)};
const source = createTokenSource({ auth: {
  type: 'globus', issuer: process.env.ISSUER, refreshToken: process.env.DIASPORA_REFRESH,
  refreshTokenFrom: 'environment', oauthClientId: '${nativeAppClientId}',
} });
const { value } = await source.token();
createDebug('app')('the app still speaks');
const loaded = Object.keys(createRequire(import.meta.url).cache).join();
console.log(JSON.stringify({ value, sqliteLoaded: loaded.includes('node-sqlite3-wasm') }));
`;
