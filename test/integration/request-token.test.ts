import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventService } from '../../src/auth/globus-service.ts';
import { requestToken } from '../../src/auth/request-token.ts';
import { TokenStore } from '../../src/auth/token-store.ts';
import { type Globus, startGlobus } from '../../stack/globus.ts';
import { nativeAppClientId, personNamed } from '../../stack/globus-facts.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'src/cli/main.ts');

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'request-token-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Run {
  readonly child: ChildProcess;
  /** The authorize URL, once it is printed. */
  readonly url: Promise<string>;
  /** Ends the run: what is typed, and then end of file. */
  finish(typed?: string): Promise<{ code: number | null; out: string; err: string }>;
}

/** The command as a real process, with its input a pipe. */
function run(args: readonly string[], env: Record<string, string> = {}): Run {
  const home = temporaryDirectory();
  return follow(
    spawn(process.execPath, ['--import', 'tsx', main, 'request-token', ...args], {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        DIASPORA_ISSUER: globus.issuer,
        DIASPORA_USER_DIR: home,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
}

function follow(child: ChildProcess & { stdout: Readable; stderr: Readable }): Run {
  let out = '';
  let err = '';
  const url = new Promise<string>((resolve) => {
    const look = (): void => {
      const [found] = /https?:\/\/\S+authorize\S+(?=\n)/.exec(out + err) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', (data) => {
      out += String(data);
      look();
    });
    child.stderr.on('data', (data) => {
      err += String(data);
      look();
    });
  });
  const ended = once(child, 'close');
  onTestFinished(() => void child.kill());
  return {
    child,
    url,
    async finish(typed = '') {
      child.stdin?.end(typed);
      await ended;
      return { code: child.exitCode, out, err };
    },
  };
}

/** The code that the page shows to who allows it. */
async function codeFor(url: string, username?: string): Promise<string> {
  const page = await globus.approve(url, username);
  return page.searchParams.get('code') ?? '';
}

/** One line that a person can read, and nothing of the program's insides. */
function expectOneLine(err: string): void {
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(err).toMatch(/^diaspora-logger: .+\.\n$/);
}

const tokensIn = (out: string): { access: string; refresh: string } => ({
  access: /^Access token: (\S+)$/m.exec(out)?.[1] ?? '',
  refresh: /^Refresh token: (\S+)$/m.exec(out)?.[1] ?? '',
});

describe('request-token', () => {
  it('prints the block of tokens for a code that is piped in', async () => {
    const command = run([]);
    const url = new URL(await command.url);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: 'code',
      client_id: nativeAppClientId,
      redirect_uri: `${globus.issuer}/v2/web/auth-code`,
      scope: `openid email profile offline_access https://auth.globus.org/scopes/${eventService}/action_all`,
      access_type: 'offline',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    });
    const code = await codeFor(url.href, 'ann.lee@example.edu');
    const { code: exit, out, err } = await command.finish(`${code}\n`);
    expect(err).toBe('');
    expect(exit).toBe(0);
    const { access, refresh } = tokensIn(out);
    const line = '='.repeat(32);
    expect(out.slice(out.indexOf(line))).toBe(
      [
        line,
        `Subject claim: ${personNamed('ann.lee@example.edu').subject}`,
        'Principal name: ann.lee',
        `Access token: ${access}`,
        `Refresh token: ${refresh}`,
        `Node clients: export DIASPORA_REFRESH='${refresh}'`,
        line,
        '',
      ].join('\n'),
    );
    // They are the event service's, not the sign-in's own.
    const reply = await fetch(globus.tokenUrl, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: refresh,
        client_id: nativeAppClientId,
      }),
    });
    expect(await reply.json()).toMatchObject({ resource_server: eventService });
  });

  it('takes the whole address of the page, in either order of the reply', async () => {
    await globus.set({ eventServiceFirst: true });
    const command = run(['--json']);
    const page = await globus.approve(await command.url);
    const { code, out } = await command.finish(page.href);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      principal: 'scientist',
      username: 'scientist@example.org',
      issuer: globus.issuer,
      saveProblem: null,
      javaProperties: null,
    });
  });

  it('takes the address in quotes and without its scheme, as browsers and chats have it', async () => {
    const command = run([]);
    const { href } = await globus.approve(await command.url);
    const { code } = await command.finish(`"${href.replace('http://', '')}"\n`);
    expect(code).toBe(0);
  });

  it('saves Java properties and the token store when asked to', async () => {
    const directory = temporaryDirectory();
    const home = join(directory, 'home');
    const command = run(['--java', '--out', directory, '--save', '--no-browser'], {
      DIASPORA_USER_DIR: home,
      DIASPORA_BOOTSTRAP: 'localhost:9094',
    });
    const { code, out } = await command.finish(`${await codeFor(await command.url)}\n`);
    expect(code).toBe(0);
    const path = join(directory, 'scientist.properties');
    expect(out).toContain(`Java clients: Connection properties are saved to ${path}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toContain(tokensIn(out).refresh);
    const store = new TokenStore({
      issuer: globus.issuer,
      oauthClientId: nativeAppClientId,
      isService: false,
      env: { DIASPORA_USER_DIR: home },
    });
    expect(await store.read(eventService)).toMatchObject({
      refresh_token: tokensIn(out).refresh,
      identity_id: personNamed('scientist@example.org').subject,
    });
    expect(await store.read('auth.globus.org')).not.toBeNull();
  });

  it.each([
    ['a wrong code', 'wrong-code\n', /wrong, used, or too old/],
    ['an empty line', '\n', /No authorization code/],
    ['end of file', '', /No authorization code/],
    ['something else', 'rm -rf /\n', /no authorization code/],
  ])('says clearly what is wrong with %s', async (_what, typed, message) => {
    const command = run([]);
    await command.url;
    const { code, out, err } = await command.finish(typed);
    expect(code).toBe(3);
    expect(err).toMatch(message);
    expectOneLine(err);
    expect(out).not.toContain('Access token');
  });

  it('says that a code was used before', async () => {
    const first = run([]);
    const code = await codeFor(await first.url);
    const second = run([]);
    await second.url;
    expect((await first.finish(code)).code).toBe(0);
    const { code: exit, err } = await second.finish(code);
    expect(exit).toBe(3);
    expectOneLine(err);
    expect(err).not.toContain(code);
  });

  it('says that consent was refused', async () => {
    const command = run([]);
    const page = await globus.approve(await command.url, 'scientist@example.org', 'deny');
    const { code, err } = await command.finish(page.href);
    expect(code).toBe(3);
    expect(err).toContain('Consent was refused');
    expectOneLine(err);
  });

  it("refuses the address of another sign-in's page", async () => {
    const command = run([]);
    const url = new URL(await command.url);
    url.searchParams.set('state', 'another');
    const page = await globus.approve(url.href);
    const { code, err } = await command.finish(page.href);
    expect(code).toBe(3);
    expect(err).toContain('another sign-in');
    expectOneLine(err);
  });

  it('says that Globus Auth cannot be reached', async () => {
    const command = run([], { DIASPORA_ISSUER: 'http://127.0.0.1:1' });
    await command.url;
    const { code, err } = await command.finish('a-code\n');
    expect(code).toBe(4);
    expect(err).toContain('ECONNREFUSED');
    expectOneLine(err);
  });

  it('refuses wrong arguments and an issuer that is not secure', async () => {
    expect((await run(['--nonsense']).finish()).code).toBe(2);
    const { code, err } = await run(['--issuer', 'http://auth.globus.org']).finish();
    expect(code).toBe(2);
    expectOneLine(err);
  });

  it("leaves another's properties file alone", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'scientist.properties'), 'mine=1\n');
    const command = run(['--java', '--out', directory]);
    const { code, out, err } = await command.finish(await codeFor(await command.url));
    expect(code).toBe(2);
    expectOneLine(err);
    expect(readFileSync(join(directory, 'scientist.properties'), 'utf8')).toBe('mine=1\n');
    // The sign-in is not wasted.
    expect(tokensIn(out).refresh).toMatch(/^[\w-]{43}$/);
  });

  it('asks nobody to sign in where --out or --save cannot be written', async () => {
    const directory = temporaryDirectory();
    const missing = join(directory, 'missing');
    const java = await run(['--java', '--out', missing]).finish();
    expect(java).toMatchObject({ code: 2, out: '' });
    expect(java.err).toContain(`to the directory ${missing} (ENOENT)`);
    expectOneLine(java.err);

    const path = join(directory, 'storage.db');
    writeFileSync(path, 'this is no database '.repeat(100));
    const save = await run(['--save'], { DIASPORA_USER_DIR: directory }).finish();
    expect(save).toMatchObject({ code: 2, out: '' });
    expect(save.err).toContain(
      `The token store ${path} cannot be written (file is not a database)`,
    );
    expectOneLine(save.err);
  });

  it('prints the tokens though they could not be saved after all', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'storage.db');
    writeFileSync(join(directory, 'scientist.properties'), 'mine=1\n');
    const command = run(['--save', '--java', '--out', directory, '--json'], {
      DIASPORA_USER_DIR: directory,
    });
    const code = await codeFor(await command.url);
    writeFileSync(path, 'this is no database '.repeat(100));
    const { code: exit, out, err } = await command.finish(code);
    expect(exit).toBe(2);
    const saveProblem = `The token store ${path} cannot be written (file is not a database).`;
    expect(JSON.parse(out)).toMatchObject({
      refreshToken: expect.stringMatching(/^[\w-]{43}$/),
      savedTo: null,
      saveProblem,
      javaProperties: null,
    });
    const [first, second, ...more] = err.trimEnd().split('\n').slice(-2);
    expect(first).toBe(`diaspora-logger: ${saveProblem}`);
    expect(second).toContain('scientist.properties was not written by diaspora-logger');
    expect(more).toEqual([]);
  });

  it('ends at SIGINT', async () => {
    const command = run([]);
    await command.url;
    command.child.kill('SIGINT');
    await once(command.child, 'close');
    expect(command.child.signalCode ?? command.child.exitCode).toBe('SIGINT');
  });

  it('runs by npm in a checkout, with its arguments', async () => {
    const child = spawn('npm', ['run', '--silent', 'request-token', '--', '--json'], {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        DIASPORA_ISSUER: globus.issuer,
        HOME: temporaryDirectory(),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const command = follow(child);
    const { code, out } = await command.finish(await codeFor(await command.url));
    expect(code).toBe(0);
    expect(JSON.parse(out).subject).toBe(personNamed('scientist@example.org').subject);
  });
});

describe('requestToken', () => {
  it('takes its code from any prompt', async () => {
    const home = temporaryDirectory();
    const token = await requestToken({
      issuer: globus.issuer,
      env: { DIASPORA_USER_DIR: home },
      prompt: (url) => codeFor(url),
    });
    expect(token).toMatchObject({ principal: 'scientist', savedTo: null });
    expect(token.expiresAt).toBeGreaterThan(Date.now());
    expect(existsSync(join(home, 'storage.db'))).toBe(false);
  });
});
