/** A scientist's first half hour, as the README has it: sign in, claim a topic, export, run the examples. On a fresh stack. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Stack, startStack } from '../../stack/stack.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { buildPackage } from './built-package.ts';
import { startCommand, startShell } from './command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let stack: Stack;
let browser: Browser | null = null;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'newcomer-'));
  await buildPackage();
  [stack, browser] = await Promise.all([startStack(), launchChromium(home)]);
});

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

/** What the person does at Globus: signs in, allows, and copies the code. */
async function codeOf(page: Page, url: string): Promise<string> {
  await page.goto(url);
  await page.getByLabel('User name').fill('newcomer@example.org');
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  return page.getByLabel('Authorization code').inputValue();
}

it('a newcomer signs in with a browser, claims a topic by the form, and runs the examples', async (test) => {
  const page = await openPage(browser, test);
  const env = { ...stack.env, HOME: home };

  const command = startCommand(['request-token', '--no-browser'], { env, openInput: true });
  await command.said('authorize');
  const [url = ''] = /http:\/\/\S+authorize\S+/.exec(command.out) ?? [];
  command.child.stdin?.write(`${await codeOf(page, url)}\n`);
  const { code, out, err } = await command.ended;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const printed = (name: string): string => new RegExp(`^${name}: (.+)$`, 'm').exec(out)?.[1] ?? '';

  await page.goto(`${stack.env.DIASPORA_SERVICE_URL}/acl`);
  await page.getByLabel('Subject claim').fill(printed('Subject claim'));
  await page.getByLabel('Access token').fill(printed('Access token'));
  await page.getByLabel('Topic name').fill('my_first_topic');
  await page.getByRole('button', { name: 'Claim', exact: true }).click();
  await page.getByRole('heading', { name: 'Topic claimed' }).waitFor();

  // Copied from the block that request-token printed, as it stands.
  const exported = printed('Node clients');
  expect(exported).toMatch(/^export DIASPORA_REFRESH=/);
  const shell = startShell(
    `${exported}\nnode examples/producer.js my_first_topic\nnode examples/consumer.js my_first_topic my-group`,
    { env, cwd: root },
  );
  const end = await shell.ended;
  expect(end.err).toBe('');
  expect(end.out).toContain('stored 103 records in all');
  expect(end.out).toContain('reading 1 partitions');
  expect(end.out.match(/synchronous message \d+/g)).toHaveLength(103);
});
