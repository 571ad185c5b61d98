import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { authService, eventService } from '../../src/auth/globus-service.ts';
import { writeKey } from '../../src/auth/stored-key.ts';
import { TokenStore } from '../../src/auth/token-store.ts';
import { confidentialClient, nativeAppClientId } from '../../stack/globus-facts.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { type Account, Accounts } from './account.ts';
import { buildPackage } from './built-package.ts';
import {
  type CommandEnd,
  runCommand,
  startAtTerminal,
  startCommand,
  startShell,
} from './command.ts';

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let stack: Stack;
let accounts: Accounts;

beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
  accounts = new Accounts(stack);
  return async () => {
    accounts[Symbol.dispose]();
    await stack.stop();
  };
});
afterEach(async () => {
  await stack.globus.reset();
  await stack.topicService.reset();
});

/** One line that a person can read, and nothing of the program's insides. */
function expectOneLine({ err }: CommandEnd): void {
  expect(err).toMatch(/^diaspora-logger: [^\n]+\.\n$/);
}

/** The values of a table by their names. */
const tableOf = (out: string): Record<string, string> =>
  Object.fromEntries(
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/, 2))
      .map(([name = '', value = '']) => [name, value]),
  );

async function refreshTokenOf({ store }: Account): Promise<string> {
  return (await store.read(eventService))?.refresh_token ?? '';
}

describe('whoami', () => {
  it('tells who signed in, by what, and for how long', async () => {
    const person = await accounts.signedIn('ann.lee@example.edu');
    const { code, out, err } = await accounts.run(['whoami'], { env: person.env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(tableOf(out)).toEqual({
      'User name': 'ann.lee@example.edu',
      'Short name': 'ann.lee',
      Subject: person.subject,
      Namespace: `ns-${person.subject.slice(-12)}`,
      'Identity provider': `Local stand-in, by Globus Auth at ${stack.issuer}`,
      Scopes: `https://auth.globus.org/scopes/${eventService}/action_all`,
      'Access token': expect.stringMatching(
        /^good for 47 h 59 min, until 20\S+Z; renewed by itself$/,
      ),
      'Signed in by': `the refresh token in the token store ${person.store.path}`,
    });
  });

  it('prints JSON for programs', async () => {
    const person = await accounts.signedIn();
    await stack.globus.set({ accessTokenTtl: 90 });
    const { out } = await accounts.run(['whoami', '--json'], { env: person.env });
    const told = JSON.parse(out);
    expect(told).toMatchObject({
      username: person.username,
      subject: person.subject,
      issuer: stack.issuer,
      oauthClientId: nativeAppClientId,
      keys: [],
    });
    expect(told.accessToken.secondsLeft).toBeGreaterThan(80);
    expect(told.accessToken.secondsLeft).toBeLessThanOrEqual(90);
  });

  it('knows the person long after the sign-in, when the stored token has ended', async () => {
    const person = await accounts.signedIn();
    const openid = await person.store.read(authService);
    if (openid === null) throw new Error('No row.');
    await person.store.write({ ...openid, access_token: 'ended-long-ago', expires_at_seconds: 1 });
    const { out } = await accounts.run(['whoami'], { env: person.env });
    expect(tableOf(out)['User name']).toBe(person.username);
    const renewed = await person.store.read(authService);
    expect(renewed?.expires_at_seconds).toBeGreaterThan(Date.now() / 1000);
  });

  it('says which token is used, and does not take its owner for who signed in to the store', async () => {
    const person = await accounts.signedIn();
    const { refreshToken } = await stack.globus.signIn('somebody.else@example.org');
    const env = { ...person.env, DIASPORA_REFRESH: refreshToken };
    const other = tableOf((await accounts.run(['whoami'], { env })).out);
    expect(other['Signed in by']).toBe('the refresh token in DIASPORA_REFRESH');
    expect(other['User name']).toMatch(/^not known/);
    expect(other['Subject']).toMatch(/^not known: set DIASPORA_SUBJECT/);
    // The same token by another way is the same person's.
    const own = { ...person.env, DIASPORA_REFRESH: await refreshTokenOf(person) };
    expect(tableOf((await accounts.run(['whoami'], { env: own })).out)['User name']).toBe(
      person.username,
    );
  });

  it('says that Globus has replaced the token that is set', async () => {
    const person = accounts.newcomer();
    const { refreshToken } = await stack.globus.signIn(person.username);
    await stack.globus.set({ rotateRefreshTokens: true });
    const env = { ...person.env, DIASPORA_REFRESH: refreshToken };
    const { out } = await accounts.run(['whoami'], { env });
    expect(tableOf(out)['Signed in by']).toBe(
      'the refresh token in DIASPORA_REFRESH; Globus replaced it, the token store has the new one',
    );
  });

  it('names the file that holds the token', async () => {
    const person = accounts.newcomer();
    const file = join(person.home, 'refresh');
    const { refreshToken } = await stack.globus.signIn(person.username);
    writeFileSync(file, refreshToken);
    const env = { ...person.env, DIASPORA_REFRESH_FILE: file, DIASPORA_SUBJECT: person.subject };
    const told = tableOf((await accounts.run(['whoami'], { env })).out);
    expect(told['Signed in by']).toBe(`the refresh token in the file ${file}`);
    expect(told['Subject']).toBe(person.subject);
  });

  it('knows a confidential client by its own name', async () => {
    const env = {
      ...accounts.newcomer().env,
      DIASPORA_SDK_CLIENT_ID: confidentialClient.clientId,
      DIASPORA_SDK_CLIENT_SECRET: confidentialClient.clientSecret,
    };
    const { code, out } = await accounts.run(['whoami'], { env });
    expect(code).toBe(0);
    expect(tableOf(out)).toMatchObject({
      'User name': `${confidentialClient.clientId}@clients.auth.globus.org`,
      Subject: confidentialClient.clientId,
      'Signed in by': 'the secret of the confidential client (DIASPORA_SDK_CLIENT_SECRET)',
    });
  });

  it('shows the keys that are stored, also where nobody has signed in', async () => {
    const person = await accounts.signedIn();
    await accounts.run(['keys', 'create', '--yes'], { env: person.env });
    const told = tableOf((await accounts.run(['whoami'], { env: person.env })).out);
    expect(told['Service key']).toMatch(/^v3, access key DSPA\w+, for localhost:\d+$/);

    const second = accounts.newcomer();
    const put = await accounts.run(['keys', 'put', '--access-key', 'DSPAMOVED'], {
      env: second.env,
      input: 'a-secret-from-elsewhere\n',
    });
    expect(put.code).toBe(0);
    const { code, out } = await accounts.run(['whoami'], { env: second.env });
    expect(code).toBe(0);
    expect(tableOf(out)).toMatchObject({
      'Service key': 'v3, access key DSPAMOVED',
      'Signed in by': expect.stringMatching(/^no refresh token: /),
    });
  });

  it('says what to do where nobody is signed in', async () => {
    const end = await accounts.run(['whoami'], { env: accounts.newcomer().env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain('npx diaspora-logger request-token --save');
    expectOneLine(end);
  });

  it('says that the refresh token was ended', async () => {
    const person = await accounts.signedIn();
    await stack.globus.revoke(await refreshTokenOf(person));
    const end = await accounts.run(['whoami'], { env: person.env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain('no longer good');
    expectOneLine(end);
  });

  it.each([
    ['is not there', { DIASPORA_ISSUER: 'http://127.0.0.1:1' }, 4, /ECONNREFUSED/],
    ['is not secure', { DIASPORA_ISSUER: 'http://auth.example.org' }, 2, /https/],
  ])('says that Globus Auth %s', async (_what, change, code, words) => {
    const { refreshToken } = await stack.globus.signIn();
    const env = { ...accounts.newcomer().env, DIASPORA_REFRESH: refreshToken, ...change };
    const end = await accounts.run(['whoami'], { env });
    expect(end).toMatchObject({ code, out: '' });
    expect(end.err).toMatch(words);
    expectOneLine(end);
  });

  it.each(['status', 'hang', 'disconnect', 'garbage'] as const)(
    'says that Globus Auth does not answer as it should: %s',
    async (kind) => {
      const person = await accounts.signedIn();
      await stack.globus.failTokens({ kind });
      const args = ['whoami', '--timeout', '0.3'];
      const end = await accounts.run(args, { env: person.env });
      expect(end).toMatchObject({ code: 4, out: '' });
      expectOneLine(end);
    },
  );

  it('says that the token store cannot be read', async () => {
    const person = accounts.newcomer();
    writeFileSync(person.store.path, 'this is no database '.repeat(100));
    const end = await accounts.run(['whoami'], { env: person.env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain(`the token store ${person.store.path} cannot be read`);
    expectOneLine(end);
  });
});

describe('logout', () => {
  it('ends the tokens at Globus, forgets them and the key, and can be repeated', async () => {
    const person = await accounts.signedIn();
    await accounts.run(['keys', 'create', '--yes'], { env: person.env });
    const rows = await person.store.readAll();
    const { code, out, err } = await accounts.run(['logout'], { env: person.env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Logged out: the tokens are ended at Globus, and forgotten .*Python SDK/);
    expect(await person.store.readAll()).toEqual([]);
    for (const { refresh_token: refreshToken, access_token: accessToken } of rows) {
      expect(await isActive(accessToken)).toBe(false);
      expect(await isActive(refreshToken ?? '')).toBe(false);
    }
    expect((await accounts.run(['keys', 'show'], { env: person.env })).code).toBe(3);
    expect(await accounts.run(['logout'], { env: person.env })).toMatchObject({
      code: 0,
      out: 'Nobody was signed in: there was nothing to end.\n',
      err: '',
    });
  });

  it('names what it cannot forget', async () => {
    const person = accounts.newcomer();
    const [one, two] = [
      await stack.globus.signIn(person.username),
      await stack.globus.signIn(person.username),
    ];
    const file = join(person.home, 'refresh');
    writeFileSync(file, two.refreshToken);
    const env = {
      ...person.env,
      DIASPORA_REFRESH: one.refreshToken,
      DIASPORA_REFRESH_FILE: file,
      DIASPORA_SUBJECT: person.subject,
    };
    const { code, out, err } = await accounts.run(['logout'], { env });
    expect(code).toBe(0);
    expect(out).toBe('Logged out: the refresh token is ended at Globus.\n');
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/DIASPORA_REFRESH still holds .* unset it/),
      expect.stringContaining(`The file ${file} still holds the refresh token: remove it.`),
    ]);
    for (const { refreshToken } of [one, two]) expect(await isActive(refreshToken)).toBe(false);
    // The file is its owner's: it stays as it is.
    expect(readFileSync(file, 'utf8')).toBe(two.refreshToken);
  });

  it("leaves another person's sign-in in the token store, and says so", async () => {
    const person = await accounts.signedIn();
    const { refreshToken } = await stack.globus.signIn('somebody.else@example.org');
    const env = { ...person.env, DIASPORA_REFRESH: refreshToken };
    const { code, out, err } = await accounts.run(['logout'], { env });
    expect(code).toBe(0);
    expect(out).toBe('Logged out: the refresh token is ended at Globus.\n');
    expect(err).toContain(`The token store ${person.store.path} holds another sign-in`);
    expect(await isActive(refreshToken)).toBe(false);
    expect((await accounts.run(['whoami'], { env: person.env })).code).toBe(0);
  });

  it('forgets the tokens though Globus cannot be reached, and says that they are not ended', async () => {
    const person = await signedInAt('http://127.0.0.1:1');
    const end = await accounts.run(['logout', '--json'], { env: person.env });
    expect(end.code).toBe(4);
    expect(end.err).toMatch(/^diaspora-logger: .*ECONNREFUSED.*settings\/consents ends it\.\n$/);
    expect(JSON.parse(end.out)).toEqual({ wasSignedIn: true, ended: false, left: [] });
    expect(await person.store.readAll()).toEqual([]);
  });

  it('forgets what replaced the token that is set, though Globus cannot be reached', async () => {
    const { env, store } = await signedInAt('http://127.0.0.1:1');
    const own = (await store.readAll())[0] ?? null;
    for (const { resource_server: name } of await store.readAll()) await store.forget(name);
    await store.updateReplacement('token-that-was-given', () => own);
    const end = await accounts.run(['logout'], {
      env: { ...env, DIASPORA_REFRESH: 'token-that-was-given' },
    });
    expect(end).toMatchObject({ code: 4 });
    expect(end.out).toMatch(/^The tokens are forgotten on this machine/);
    expect(await store.readReplacement('token-that-was-given')).toBeNull();
    expect(readFileSync(store.path, 'latin1')).not.toContain(own?.refresh_token);
  });

  it('names a key whose owner only Globus could have told', async () => {
    const { env, store, subject } = await signedInAt('http://127.0.0.1:1');
    const rows = await store.readAll();
    await store.write(...rows.map((row) => ({ ...row, identity_id: null })));
    await writeKey(
      store,
      { apiVersion: 'v3', subject, isOwn: () => false },
      { accessKey: 'AKIA1', secretKey: 'made-up-secret', endpoint: null, createdAt: null },
    );
    const end = await accounts.run(['logout', '--json'], { env });
    expect(end.code).toBe(4);
    expect(JSON.parse(end.out)).toMatchObject({
      ended: false,
      left: [expect.stringMatching(/still holds a service key.*DIASPORA_SUBJECT/)],
    });
    expect(await store.readAll()).toEqual([]);
    const again = { env: { ...env, DIASPORA_SUBJECT: subject } };
    expect(await accounts.run(['logout'], again)).toMatchObject({ code: 0, err: '' });
    expect(await store.hasKeyRows()).toBe(false);
  });

  it.each(['hangs', 'answers 503', 'answers what is no HTTP'] as const)(
    'does the same where Globus %s, and takes its time once only',
    async (fault) => {
      const issuer = await badServer(fault);
      const person = await signedInAt(issuer);
      const startedAt = performance.now();
      const args = ['logout', '--timeout', '0.5'];
      const end = await accounts.run(args, { env: person.env });
      expect(end).toMatchObject({ code: 4 });
      expect(end.out).toMatch(/^The tokens are forgotten on this machine/);
      expect(await person.store.readAll()).toEqual([]);
      // Four attempts of half a second, with growing waits of at most 7 s between them, and not for each of the four tokens.
      expect(performance.now() - startedAt).toBeLessThan(15_000);
    },
  );

  it('says that the token store cannot be read', async () => {
    const person = accounts.newcomer();
    writeFileSync(person.store.path, 'this is no database '.repeat(100));
    const end = await accounts.run(['logout'], { env: person.env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain(`The token store ${person.store.path} cannot be read`);
    expectOneLine(end);
  });
});

/** By Globus's own word. */
async function isActive(token: string): Promise<boolean> {
  const { clientId, clientSecret } = stack.globus.resourceServer;
  const response = await fetch(stack.globus.introspectionUrl, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams({ token }),
  });
  const { active }: { active?: unknown } = Object(await response.json());
  return active === true;
}

/** Somebody whose tokens are of an issuer that is out of order. */
async function signedInAt(issuer: string): Promise<Account> {
  const person = accounts.newcomer();
  const env = { ...person.env, DIASPORA_ISSUER: issuer };
  const store = new TokenStore({ issuer, oauthClientId: nativeAppClientId, isService: false, env });
  const row = {
    identity_id: person.subject,
    scope: 'openid',
    expires_at_seconds: Math.floor(Date.now() / 1000) + 3_600,
    token_type: 'Bearer',
  };
  await store.write(
    {
      ...row,
      resource_server: eventService,
      access_token: 'access-token-of-the-event-service',
      refresh_token: 'refresh-token-of-the-event-service',
    },
    {
      ...row,
      resource_server: authService,
      access_token: 'access-token-of-globus-itself',
      refresh_token: 'refresh-token-of-globus-itself',
    },
  );
  return { ...person, env, store };
}

async function badServer(
  fault: 'hangs' | 'answers 503' | 'answers what is no HTTP',
): Promise<string> {
  const answers = {
    hangs: null,
    'answers 503': 'HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    'answers what is no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n',
  };
  const answer = answers[fault];
  const server: Server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    if (answer !== null) socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return `http://127.0.0.1:${address.port}`;
}

describe('topics', () => {
  it('are registered, listed, emptied and given up in one namespace (v3)', async () => {
    const person = await accounts.signedIn();
    const { env } = person;
    const kafkaTopic = `ns-${person.subject.slice(-12)}.sensor-log`;
    const none = await accounts.run(['topics', 'list'], { env });
    expect(none).toMatchObject({ code: 0, out: '' });
    expect(none.err).toContain('topics register');

    const made = await accounts.run(['topics', 'register', 'sensor-log'], { env });
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toMatch(/^success: .*sensor-log.*\nKafka topic: /);
    expect(made.out).toContain(`Kafka topic: ${kafkaTopic}\n`);
    expect(await stack.topics()).toContain(kafkaTopic);
    const again = await accounts.run(['topics', 'register', 'sensor-log', '--json'], { env });
    expect(JSON.parse(again.out)).toMatchObject({ status: 'no-op', kafkaTopic });

    const listed = await accounts.run(['topics', 'list'], { env });
    expect(listed).toMatchObject({ code: 0, out: `sensor-log  ${kafkaTopic}\n` });
    const json = await accounts.run(['topics', 'list', '--json'], { env });
    expect(JSON.parse(json.out)).toEqual([{ topic: 'sensor-log', kafkaTopic }]);

    for (const action of ['recreate', 'unregister']) {
      const unasked = await accounts.run(['topics', action, 'sensor-log'], { env });
      expect(unasked).toMatchObject({ code: 2, out: '' });
      expect(unasked.err).toContain('Say --yes where nobody can be asked.');
    }
    expect(await stack.topics()).toContain(kafkaTopic);
    const emptied = await accounts.run(['topics', 'recreate', 'sensor-log', '--yes'], { env });
    expect(emptied.out).toMatch(/^success: /);
    const gone = await accounts.run(['topics', 'unregister', 'sensor-log', '--yes'], { env });
    expect(gone.out).toMatch(/^success: /);
    expect(await stack.topics()).not.toContain(kafkaTopic);
  });

  it('are registered by their own names, and keep their records when they are given up (v1)', async () => {
    const { env } = await accounts.signedIn();
    const v1 = ['--api-version', 'v1'];
    const made = await accounts.run(['topics', 'register', 'v1-topic', ...v1], { env });
    expect(made.out).toMatch(/^success: .*\nKafka topic: v1-topic\n$/);
    const listed = await accounts.run(['topics', 'list', ...v1], { env });
    expect(listed.out).toBe('v1-topic  v1-topic\n');
    const gone = await accounts.run(['topics', 'unregister', 'v1-topic', ...v1], { env });
    expect(gone).toMatchObject({ code: 0 });
    expect(await stack.topics()).toContain('v1-topic');
    const emptied = await accounts.run(['topics', 'recreate', 'v1-topic', '--yes', ...v1], { env });
    expect(emptied).toMatchObject({ code: 2, out: '' });
  });

  it('are claimed by their name, once', async () => {
    const { env } = await accounts.signedIn();
    const other = await accounts.signedIn();
    const claimed = await accounts.run(['topics', 'claim', 'lab_log'], { env });
    expect(claimed.out).toMatch(/^success: .*\nKafka topic: lab_log\n$/);
    expect((await accounts.run(['topics', 'claim', 'lab_log'], { env })).out).toMatch(/^no-op: /);
    const taken = await accounts.run(['topics', 'claim', 'lab_log'], { env: other.env });
    expect(taken).toMatchObject({ code: 3, out: '' });
    expect(taken.err).toMatch(/claimed|somebody else|another/i);
    expectOneLine(taken);
  });

  it('are asked about before records are lost, at a terminal', async () => {
    const { env } = await accounts.signedIn();
    await accounts.run(['topics', 'register', 'precious'], { env });
    const refused = startAtTerminal(['topics', 'unregister', 'precious'], { env, openInput: true });
    await refused.said('[y/N]');
    refused.child.stdin?.end('n\n');
    expect(await refused.ended).toMatchObject({ code: 2 });
    expect((await accounts.run(['topics', 'list'], { env })).out).toMatch(/^precious /);
    const agreed = startAtTerminal(['topics', 'unregister', 'precious'], { env, openInput: true });
    await agreed.said('[y/N]');
    agreed.child.stdin?.end('y\n');
    expect(await agreed.ended).toMatchObject({ code: 0 });
    expect((await accounts.run(['topics', 'list'], { env })).out).toBe('');
  });

  it.each([
    ['a name that is too short', ['register', 'a'], 3, /3 and 32|3 to 32/],
    ['a name with a path', ['register', '../../user'], 2, /no name of a topic/],
    ['a name that the form does not take', ['claim', '_hidden'], 3, /underscore|letter/i],
    ['no name', ['register'], 2, /missing required argument/],
    ['another version', ['list', '--api-version', 'v2'], 2, /v3, v1/],
    ['a version of claims', ['claim', 'lab_log', '--api-version', 'v1'], 2, /unknown option/],
  ])('refuse %s', async (_what, args, code, words) => {
    const { env } = await accounts.signedIn();
    const end = await accounts.run(['topics', ...args], { env });
    expect(end).toMatchObject({ code, out: '' });
    expect(end.err).toMatch(words);
  });

  it.each([
    ['nobody is signed in', {}, 3, /request-token/],
    ['the service is not there', { DIASPORA_SERVICE_URL: 'http://127.0.0.1:1' }, 4, /ECONNREFUSED/],
    [
      'the service is not reached securely',
      { DIASPORA_SERVICE_URL: 'http://service.example.org' },
      2,
      /https/,
    ],
  ])('say that %s', async (_what, change, code, words) => {
    const isSignedIn = Object.keys(change).length > 0;
    const { env } = isSignedIn ? await accounts.signedIn() : accounts.newcomer();
    const end = await accounts.run(['topics', 'list'], { env: { ...env, ...change } });
    expect(end).toMatchObject({ code, out: '' });
    expect(end.err).toMatch(words);
    expectOneLine(end);
  });

  it('say that the sign-in is of another person than the subject', async () => {
    const { env } = await accounts.signedIn();
    const { subject } = accounts.newcomer('victim@example.org');
    const end = await accounts.run(['topics', 'list'], {
      env: { ...env, DIASPORA_SUBJECT: subject },
    });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain('DIASPORA_SUBJECT');
    expectOneLine(end);
  });

  it('say that the refresh token was ended', async () => {
    const person = await accounts.signedIn();
    await stack.globus.revoke(await refreshTokenOf(person));
    const end = await accounts.run(['topics', 'list'], { env: person.env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expectOneLine(end);
  });

  it.each([
    ['status', 4, /503/],
    ['hang', 4, /no answer/],
    ['disconnect', 4, /ECONNRESET/],
    ['garbage', 3, /is this the address of a Diaspora service/],
  ] as const)(
    'say that the service does not answer as it should: %s',
    async (kind, code, words) => {
      const { env } = await accounts.signedIn();
      await stack.topicService.set({ fault: { kind } });
      const end = await accounts.run(['topics', 'list', '--timeout', '0.5'], { env });
      expect(end).toMatchObject({ code, out: '' });
      expect(end.err).toMatch(words);
      expectOneLine(end);
    },
  );

  it('end at Ctrl-C while the service hangs', async () => {
    const { env } = await accounts.signedIn();
    await stack.topicService.set({ fault: { kind: 'hang' } });
    const command = startCommand(['topics', 'list'], { env });
    await until(async () => (await stack.topicService.requests()).length > 0);
    command.kill('SIGINT');
    expect(await command.ended).toMatchObject({ signal: 'SIGINT', out: '', err: '' });
  });
});

describe('keys', () => {
  it('are made, kept, and shown without their secret', async () => {
    const { env } = await accounts.signedIn();
    const nothing = await accounts.run(['keys', 'show'], { env });
    expect(nothing).toMatchObject({ code: 3, out: '' });
    expect(nothing.err).toContain('keys create');

    const made = await accounts.run(['keys', 'create', '--yes'], { env });
    expect(made.code).toBe(0);
    expect(made.err).toContain('wait-ready');
    const shown = await accounts.run(['keys', 'show'], { env });
    expect(shown).toMatchObject({ code: 0, out: made.out, err: '' });
    expect(tableOf(shown.out)).toMatchObject({
      version: 'v3',
      'secret key': '(hidden: --show-secret prints it)',
    });
    const json = await accounts.run(['keys', 'show', '--json'], { env });
    expect(JSON.parse(json.out)).toMatchObject({ version: 'v3', secretKey: null });
  });

  it('show their secret where that is asked for, and work on a second machine', async () => {
    const first = await accounts.signedIn();
    await accounts.run(['keys', 'create', '--yes'], { env: first.env });
    const shown = await runCommand(['keys', 'show', '--json', '--show-secret'], { env: first.env });
    const { accessKey, secretKey } = JSON.parse(shown.out);
    const second = accounts.newcomer();
    const put = await accounts.run(['keys', 'put', '--access-key', accessKey], {
      env: second.env,
      input: `${secretKey}\n`,
    });
    expect(put).toMatchObject({ code: 0, err: '' });
    const again = await runCommand(['keys', 'show', '--json', '--show-secret'], {
      env: second.env,
    });
    expect(JSON.parse(again.out)).toMatchObject({ accessKey, secretKey });
  });

  it('of v1 are passwords', async () => {
    const person = await accounts.signedIn();
    const v1 = ['--api-version', 'v1'];
    const made = await accounts.run(['keys', 'create', '--yes', ...v1], { env: person.env });
    expect(tableOf(made.out)).toMatchObject({ version: 'v1', 'user name': person.subject });
    const shown = await runCommand(['keys', 'show', '--json', '--show-secret', ...v1], {
      env: person.env,
    });
    const { secretKey } = JSON.parse(shown.out);
    const second = accounts.newcomer();
    const env = { ...second.env, DIASPORA_SUBJECT: person.subject, MOVED_KEY: secretKey };
    const from = ['--secret-from', 'MOVED_KEY', ...v1];
    const endpoint = 'broker.example.org:9198';
    // The second time its brokers stay as they were put.
    for (const brokers of [['--endpoint', endpoint], []]) {
      const put = await accounts.run(['keys', 'put', ...from, ...brokers], { env });
      expect(put).toMatchObject({ code: 0, err: '' });
      const there = await runCommand(['keys', 'show', '--json', '--show-secret', ...v1], { env });
      expect(JSON.parse(there.out)).toMatchObject({ version: 'v1', secretKey, endpoint });
    }
  });

  it('are not made before a person has agreed', async () => {
    const { env } = await accounts.signedIn();
    const unasked = await accounts.run(['keys', 'create'], { env });
    expect(unasked).toMatchObject({ code: 2, out: '' });
    expect(unasked.err).toContain('Earlier keys end');
    const command = startAtTerminal(['keys', 'create'], { env, openInput: true });
    await command.said('Earlier keys end, on every machine that uses them. Go on? [y/N]');
    command.child.stdin?.write('\u0003');
    expect(await command.ended).toMatchObject({ code: 130 });
    expect((await accounts.run(['keys', 'show'], { env })).code).toBe(3);
  });

  it('take a secret that is typed, and do not show it', async () => {
    const { env } = accounts.newcomer();
    const args = ['keys', 'put', '--access-key', 'DSPATYPED'];
    const command = startAtTerminal(args, { env, openInput: true });
    await command.said('secret key (is not shown): ');
    command.child.stdin?.end('typed-by-hand\r');
    const { code, out } = await command.ended;
    expect(code).toBe(0);
    expect(out).not.toContain('typed-by-hand');
    const shown = await runCommand(['keys', 'show', '--json', '--show-secret'], { env });
    expect(JSON.parse(shown.out)).toMatchObject({
      accessKey: 'DSPATYPED',
      secretKey: 'typed-by-hand',
    });
  });

  it.each([
    ['nothing', ['--access-key', 'A'], '', /No secret key: standard input holds nothing/],
    ['two lines', ['--access-key', 'A'], 'one\ntwo\n', /is no line of text/],
    [
      'a variable that is not set',
      ['--access-key', 'A', '--secret-from', 'NO_SUCH'],
      '',
      /NO_SUCH/,
    ],
    ['a key of v3 without its other part', [], 'secret\n', /--access-key/],
    [
      'a key of v1 with another part',
      ['--api-version', 'v1', '--access-key', 'A'],
      'secret\n',
      /leave out --access-key/,
    ],
  ])('refuse to store %s', async (_what, args, input, words) => {
    const { env } = accounts.newcomer();
    const end = await accounts.run(['keys', 'put', ...args], { env, input });
    expect(end).toMatchObject({ code: 2, out: '' });
    expect(end.err).toMatch(words);
    expectOneLine(end);
  });

  it('of one version are not those of the other', async () => {
    const { env } = await accounts.signedIn();
    await accounts.run(['keys', 'create', '--yes'], { env });
    const end = await accounts.run(['keys', 'show', '--api-version', 'v1'], { env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain('No key of v1');
  });

  it('of v1 are not made where they cannot be kept, since each ends the one before', async () => {
    const person = await accounts.signedIn();
    await breakStore(person);
    const args = ['keys', 'create', '--yes', '--api-version', 'v1'];
    const end = await accounts.run(args, {
      env: { ...person.env, DIASPORA_SUBJECT: person.subject },
    });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain(`the token store ${person.store.path} cannot be`);
    expectOneLine(end);
    expect((await stack.topicService.requests()).map(({ path }) => path)).not.toContain(
      '/v1/create_key',
    );
  });

  it.each([
    ['status', 4],
    ['hang', 4],
    ['garbage', 3],
  ] as const)('are not made where the service is out of order: %s', async (kind, code) => {
    const { env } = await accounts.signedIn();
    await stack.topicService.set({ fault: { kind } });
    const end = await accounts.run(['keys', 'create', '--yes', '--timeout', '0.5'], { env });
    expect(end).toMatchObject({ code, out: '' });
    expectOneLine(end);
    expect((await accounts.run(['keys', 'show'], { env })).code).toBe(3);
  });
});

/** Polls: the stack's record has no event for it. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** By a file system of its own, which only root may make. */
const [mount, umount] = ['mount', 'umount'] as const;
const canMount = process.getuid?.() === 0 && spawnSync(mount, ['--version']).status === 0;

describe('A place where nothing can be kept', () => {
  const key = ['keys', 'put', '--access-key', 'DSPANOWHERE', '--secret-from', 'MOVED'] as const;
  const moved = { MOVED: 'a-secret-from-elsewhere' };

  it('is told of where it is read-only', async () => {
    const person = accounts.newcomer();
    chmodSync(person.home, 0o555);
    const args = key.map((arg) => `'${arg}'`).join(' ');
    // Root may write anywhere.
    const asAnybody =
      process.getuid?.() === 0 ? 'setpriv --reuid=65534 --clear-groups --inh-caps=-all' : '';
    const end = await startShell(`${asAnybody} "${process.execPath}" "${commandLine}" ${args}`, {
      env: { ...person.env, ...moved },
    }).ended;
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain(`the token store ${person.store.path} cannot be written (EACCES)`);
    expectOneLine(end);
  });

  it.runIf(canMount)('is told of where the disk is full, and nothing half is left', async () => {
    const person = accounts.newcomer();
    execFileSync(mount, ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', person.home]);
    onTestFinished(() => void execFileSync(umount, [person.home]));
    writeFileSync(join(person.home, 'full'), Buffer.alloc(12 * 1024));
    const end = await accounts.run(key, { env: { ...person.env, ...moved } });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain(`the token store ${person.store.path} cannot be written`);
    expectOneLine(end);
    expect(readdirSync(person.home)).toEqual(['full']);
  });
});

async function breakStore({ store }: Account): Promise<void> {
  writeFileSync(store.path, 'this is no database '.repeat(100));
}

it('No command has printed a secret of the stack that was not asked for', () => {
  accounts.expectNothingSecret();
});
