/** The whole sign-in of `request-token`, with a real browser at the Globus stand-in's pages. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  afterAll,
  beforeAll,
  describe,
  expect,
  it,
  onTestFinished,
  type TestContext,
} from 'vitest';
import { createTokenSource } from '../../src/auth/token-source.ts';
import { type Globus, startGlobus } from '../../stack/globus.ts';
import { nativeAppClientId, personNamed } from '../../stack/globus-facts.ts';
import {
  focused,
  launchChromium,
  openPage as openPageOf,
  pageFaults,
} from '../support/chromium.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ada = personNamed('ada@example.org');

let globus: Globus;
let browser: Browser | null = null;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'sign-in-browser-'));
  globus = await startGlobus();
  browser = await launchChromium(home);
});

afterAll(async () => {
  await browser?.close();
  await globus.stop();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

const openPage = (test: TestContext, options?: BrowserContextOptions): Promise<Page> =>
  openPageOf(browser, test, options);

interface Command {
  /** The address that the command prints. */
  readonly url: string;
  /** Pastes a line, and answers how the command ends. */
  paste(line: string): Promise<{ code: number | null; out: string; err: string }>;
}

/** `diaspora-logger request-token` as a process, waiting for the code. */
async function requestToken(): Promise<Command> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(root, 'src/cli/main.ts'), 'request-token', '--no-browser'],
    {
      cwd: root,
      env: { PATH: process.env['PATH'], DIASPORA_ISSUER: globus.issuer, DIASPORA_USER_DIR: home },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  onTestFinished(() => end(child));
  const ended = once(child, 'close');
  let out = '';
  let err = '';
  child.stderr.on('data', (data) => {
    err += String(data);
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      out += String(data);
      const [found] = /http:\/\/\S+authorize\S+(?=\n)/.exec(out) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('close', () => reject(new Error(`It ended without an address: ${out}${err}`)));
  });
  return {
    url,
    async paste(line) {
      // The pipe stays open, as a terminal does: the line's end is what the command acts on.
      child.stdin.write(`${line}\n`);
      await ended;
      return { code: child.exitCode, out, err };
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'close');
}

const heading = (page: Page, name: RegExp): Promise<void> =>
  page.getByRole('heading', { level: 1, name }).waitFor();
const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();

async function signIn(page: Page, username: string): Promise<void> {
  await page.getByLabel('User name').fill(username);
  await press(page, 'Continue');
}

/** Signs in as Ada, and decides. */
async function decide(page: Page, url: string, decision: 'Allow' | 'Deny'): Promise<void> {
  await page.goto(url);
  await heading(page, /^Sign in to use/);
  await signIn(page, ada.username);
  await heading(page, /would like to/);
  await press(page, decision);
  await heading(page, decision === 'Allow' ? /^You are signed in$/ : /^You denied access$/);
}

const shownCode = (page: Page): Promise<string> =>
  page.getByLabel('Authorization code').inputValue();

/** The user name that a resource server is told for an access token. */
async function introspect(accessToken: string): Promise<unknown> {
  const { clientId, clientSecret } = globus.resourceServer;
  const response = await fetch(globus.introspectionUrl, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ token: accessToken }),
  });
  return response.json();
}

describe('request-token with a browser', () => {
  it('prints a refresh token that works for who signs in and allows', async (test) => {
    const page = await openPage(test);
    const command = await requestToken();
    const hosts = new Set<string>();
    page.on('request', (request) => hosts.add(new URL(request.url()).origin));
    await decide(page, command.url, 'Allow');
    const { code, out, err } = await command.paste(await shownCode(page));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Subject claim: ${ada.subject}\nPrincipal name: ada\n`);
    const refreshToken = /^Refresh token: (\S+)$/m.exec(out)?.[1] ?? '';
    expect(out).toContain(`export DIASPORA_REFRESH='${refreshToken}'`);
    const source = createTokenSource({
      auth: {
        type: 'globus',
        issuer: globus.issuer,
        refreshToken,
        oauthClientId: nativeAppClientId,
      },
      env: { DIASPORA_USER_DIR: home },
    });
    onTestFinished(() => source.close());
    const { value } = await source.token();
    expect(await introspect(value)).toMatchObject({
      active: true,
      sub: ada.subject,
      username: ada.username,
    });
    // No font, script or picture from elsewhere.
    expect([...hosts]).toEqual([globus.issuer]);
  });

  it('says at both ends that access was denied', async (test) => {
    const page = await openPage(test);
    const command = await requestToken();
    await decide(page, command.url, 'Deny');
    expect(await page.getByRole('alert').innerText()).toBe(
      'The resource owner denied the request (access_denied).',
    );
    const { code, out, err } = await command.paste(page.url());
    expect(code).toBe(3);
    expect(err).toBe('diaspora-logger: Consent was refused: no token was issued.\n');
    expect(out).not.toContain('token:');
  });

  it('takes no mouse', async (test) => {
    const page = await openPage(test, { permissions: ['clipboard-read', 'clipboard-write'] });
    const command = await requestToken();
    await page.goto(command.url);
    await heading(page, /^Sign in to use/);
    expect(await focused(page)).toBe('- textbox "User name": scientist@example.org');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(ada.username);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toContain('textbox "Password"');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- button "Continue"');
    await page.keyboard.press('Enter');

    await heading(page, /would like to/);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- button "Allow"');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- button "Deny"');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');

    await heading(page, /^You are signed in$/);
    await page.keyboard.press('Tab');
    const code = await shownCode(page);
    expect(await focused(page)).toBe(`- textbox "Authorization code": ${code}`);
    await page.keyboard.press('ControlOrMeta+C');
    const copiedByHand = await page.evaluate<string>('navigator.clipboard.readText()');
    await page.evaluate('navigator.clipboard.writeText("")');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- button "Copy"');
    await page.keyboard.press('Enter');
    await page.getByRole('status').filter({ hasText: 'Copied.' }).waitFor();
    const copied = await page.evaluate<string>('navigator.clipboard.readText()');
    expect([copiedByHand, copied]).toEqual([code, code]);

    const { code: exit, out } = await command.paste(copied);
    expect(exit).toBe(0);
    expect(out).toContain('Principal name: ada\n');
  });

  it('takes no JavaScript but for the copy button', async (test) => {
    const page = await openPage(test, { javaScriptEnabled: false });
    const command = await requestToken();
    await decide(page, command.url, 'Allow');
    expect(await page.getByRole('button').count()).toBe(0);
    const { code, out } = await command.paste(await shownCode(page));
    expect(code).toBe(0);
    expect(out).toContain('Principal name: ada\n');
  });

  it('says what is wrong with a user name, and keeps what was typed', async (test) => {
    const page = await openPage(test);
    await page.goto((await requestToken()).url);
    await signIn(page, 'ada "the first"');
    await page.getByRole('alert').waitFor();
    const field = page.getByLabel('User name');
    expect(await field.inputValue()).toBe('ada "the first"');
    expect(await field.getAttribute('aria-describedby')).toBe(
      await page.getByRole('alert').getAttribute('id'),
    );
    await signIn(page, ada.username);
    await heading(page, /would like to/);
  });
});

describe("the stand-in's pages", () => {
  it.for([
    { colorScheme: 'light', width: 360 },
    { colorScheme: 'light', width: 1280 },
    { colorScheme: 'dark', width: 360 },
    { colorScheme: 'dark', width: 1280 },
  ] as const)(
    'are legible, labelled and unclipped: $colorScheme, $width px',
    async ({ colorScheme, width }, test) => {
      const page = await openPage(test, { colorScheme, viewport: { width, height: 640 } });
      const { url } = await requestToken();
      await page.goto(url);
      await heading(page, /^Sign in to use/);
      expect(await pageFaults(page)).toEqual([]);
      await signIn(page, 'nobody');
      await page.getByRole('alert').waitFor();
      expect(await pageFaults(page)).toEqual([]);
      await signIn(page, `${'long-'.repeat(20)}name@example.org`);
      await heading(page, /would like to/);
      expect(await pageFaults(page)).toEqual([]);
      await press(page, 'Allow');
      await heading(page, /^You are signed in$/);
      await press(page, 'Copy');
      await page.getByRole('status').filter({ hasText: /\S/ }).waitFor();
      expect(await pageFaults(page)).toEqual([]);
      await page.context().clearCookies();
      await decide(page, url, 'Deny');
      expect(await pageFaults(page)).toEqual([]);
    },
  );
});
