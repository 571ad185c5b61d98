/** The claim page of the topic service in a real browser, from the form to the topic in Kafka. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { SignedIn } from '../../stack/globus.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { focused, launchChromium, openPage, pageFaults } from '../support/chromium.ts';
import { byToken, claim, writeAndRead } from './service-calls.ts';

const stack = sharedStack();
const pageUrl = `${stack.serviceUrl}/acl`;

let browser: Browser | null = null;
let home: string;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'claim-page-'));
  browser = await launchChromium(home);
});

afterAll(async () => {
  await browser?.close();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

const newTopic = (): string => uniqueTopic('claimed').replaceAll('-', '_');
const somebody = (): Promise<SignedIn> =>
  stack.globus.signIn(`${uniqueTopic('person')}@example.org`);

interface Form {
  readonly subject?: string;
  readonly token?: string;
  readonly topic?: string;
}

async function fillIn(page: Page, { subject, token, topic }: Form): Promise<void> {
  if (subject !== undefined) await page.getByLabel('Subject claim').fill(subject);
  if (token !== undefined) await page.getByLabel('Access token').fill(token);
  if (topic !== undefined) await page.getByLabel('Topic name').fill(topic);
}

async function send(page: Page, form: Form): Promise<void> {
  await fillIn(page, form);
  await page.getByRole('button', { name: 'Claim', exact: true }).click();
}

const heading = (page: Page, name: string): Promise<void> =>
  page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

describe('the claim page', () => {
  it('makes a topic one’s own, and shows how to do it again in a browser and in a shell', async (test) => {
    const page = await openPage(browser, test);
    const complaints: string[] = [];
    const origins = new Set<string>();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('request', (request) => origins.add(new URL(request.url()).origin));
    const { subject, accessToken } = await somebody();
    const topic = newTopic();
    await page.goto(stack.serviceUrl);
    await heading(page, 'Claim a topic');
    await send(page, { subject, token: accessToken, topic });
    await heading(page, 'Topic claimed');
    expect(await page.getByRole('status').innerText()).toBe(`The topic ${topic} is yours now.`);
    expect(await page.content()).not.toContain(accessToken);
    expect(page.url()).toBe(pageUrl);
    expect(await writeAndRead(stack, byToken(accessToken), topic)).toEqual(['a record']);

    const curl = await page.getByLabel('Equivalent curl command').innerText();
    const shell = await promisify(execFile)('sh', ['-c', `${curl} --silent --show-error --fail`], {
      env: { PATH: process.env['PATH'], ACCESS_TOKEN: accessToken },
    });
    expect(shell.stdout).toContain(`The topic ${topic} was yours already: nothing has changed.\n`);
    expect(shell.stdout).toContain(curl);

    const address = await page.getByLabel('Address of the filled-in form').innerText();
    expect(shell.stdout).toContain(address);
    await page.getByRole('link', { name: 'The form, filled in but for the token' }).click();
    await heading(page, 'Claim a topic');
    expect(page.url()).toBe(address);
    expect(await page.getByLabel('Subject claim').inputValue()).toBe(subject);
    expect(await page.getByLabel('Access token').inputValue()).toBe('');
    expect(await page.getByLabel('Topic name').inputValue()).toBe(topic);
    // What is left to do has the focus.
    expect(await focused(page)).toBe('- textbox "Access token"');
    await send(page, { token: accessToken });
    await heading(page, 'Already yours');
    expect(await page.getByRole('status').innerText()).toBe(
      `The topic ${topic} was yours already: nothing has changed.`,
    );
    expect(complaints).toEqual([]);
    // No font, script or picture, from here or from elsewhere.
    expect([...origins]).toEqual([stack.serviceUrl]);
  });

  it('says with each refusal what is wrong and where, and keeps what was typed but for the token', async (test) => {
    const page = await openPage(browser, test);
    const me = await somebody();
    const other = await somebody();
    const ended = await somebody();
    await stack.globus.revoke(ended.accessToken);
    const theirs = newTopic();
    await claim(stack.serviceUrl, other, theirs);
    const right = { subject: me.subject, token: me.accessToken, topic: newTopic() };
    const name = 'A topic name consists of letters (A to Z, a to z), digits and underscores.';
    const refusals: { form: Form; label: string; sentence: string; status: number }[] = [
      {
        form: { ...right, subject: ended.subject, token: ended.accessToken },
        label: 'Access token',
        sentence:
          'The access token is not active: it has expired, was revoked, or is not from Globus. Request a new one.',
        status: 401,
      },
      {
        form: { ...right, subject: other.subject },
        label: 'Subject claim',
        sentence: 'The access token belongs to another subject than the subject claim names.',
        status: 403,
      },
      {
        form: { ...right, topic: theirs },
        label: 'Topic name',
        sentence: `The topic ${theirs} has been claimed by somebody else. Choose another name, or ask its owner.`,
        status: 409,
      },
      { form: { ...right, topic: 'my-topic' }, label: 'Topic name', sentence: name, status: 400 },
      { form: { ...right, topic: 'my.topic' }, label: 'Topic name', sentence: name, status: 400 },
      {
        form: { ...right, topic: '"><script>alert(1)</script>' },
        label: 'Topic name',
        sentence: name,
        status: 400,
      },
      {
        form: { ...right, topic: '_mine' },
        label: 'Topic name',
        sentence: 'A topic name cannot start with an underscore.',
        status: 400,
      },
      {
        form: { ...right, topic: '' },
        label: 'Topic name',
        sentence: 'A topic name is needed.',
        status: 400,
      },
      {
        form: { ...right, subject: 'ada' },
        label: 'Subject claim',
        sentence:
          'The subject claim must be a UUID: request-token prints it beside the access token.',
        status: 400,
      },
      {
        form: { ...right, token: '' },
        label: 'Access token',
        sentence: 'An access token is needed.',
        status: 401,
      },
      {
        form: { ...right, token: 'a token of spaces' },
        label: 'Access token',
        sentence: 'That is not an access token: copy all of it.',
        status: 401,
      },
    ];
    for (const { form, label, sentence, status } of refusals) {
      await page.goto(pageUrl);
      const answered = page.waitForResponse((response) => response.request().method() === 'POST');
      await send(page, form);
      expect((await answered).status()).toBe(status);
      const alert = page.getByRole('alert');
      await alert.waitFor();
      expect(await alert.innerText()).toBe(sentence);
      // It is read out at once, and leads to the field.
      expect(await focused(page)).toContain('alert');
      expect(await page.title()).toMatch(/^Error: /);
      const field = page.getByLabel(label);
      expect(await field.getAttribute('aria-invalid')).toBe('true');
      const described = (await field.getAttribute('aria-describedby'))?.split(' ') ?? [];
      expect(await page.locator(`#${described.at(-1)}`).innerText()).toBe(sentence);
      await alert.getByRole('link').click();
      expect(await focused(page)).toContain(`textbox "${label}"`);
      expect(await page.locator('[aria-invalid=true]').count()).toBe(1);
      expect(await page.getByLabel('Subject claim').inputValue()).toBe(form.subject);
      expect(await page.getByLabel('Topic name').inputValue()).toBe(form.topic);
      expect(await page.getByLabel('Access token').inputValue()).toBe('');
      if (form.token !== '') expect(await page.content()).not.toContain(form.token);
    }
    // The same sentence for programs.
    expect((await claim(stack.serviceUrl, me, theirs)).body['message']).toBe(refusals[2]?.sentence);
    expect(new Set(refusals.map(({ sentence }) => sentence)).size).toBe(9);
  });

  it('takes no mouse, and no JavaScript', async (test) => {
    const page = await openPage(browser, test, { javaScriptEnabled: false });
    const { subject, accessToken } = await somebody();
    const topic = newTopic();
    await page.goto(pageUrl);
    expect(await focused(page)).toBe('- textbox "Subject claim"');
    await page.keyboard.type(subject);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- textbox "Access token"');
    await page.keyboard.type(accessToken);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- textbox "Topic name"');
    await page.keyboard.type('_wrong');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('- button "Claim"');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toContain('link "A topic name cannot start with an underscore."');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('- textbox "Topic name" [invalid]: _wrong');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(topic);
    await page.keyboard.press('Shift+Tab');
    expect(await focused(page)).toBe('- textbox "Access token"');
    await page.keyboard.type(accessToken);
    await page.keyboard.press('Enter');
    await heading(page, 'Topic claimed');
    expect(await stack.topics()).toContain(topic);
  });

  it('shows what an address fills in as text, whatever it is', async (test) => {
    const page = await openPage(browser, test);
    const evil = `"><script>document.title='x'</script><img src=x onerror=alert(1)>'&lt;<%= 1 %>`;
    const query = new URLSearchParams({
      subject_claim: evil,
      topic_name: evil,
      access_token: 'must not be shown',
    });
    const dialogs: string[] = [];
    page.on('dialog', (dialog) => dialogs.push(dialog.message()));
    await page.goto(`${pageUrl}?${query}`);
    await heading(page, 'Claim a topic');
    expect(await page.getByLabel('Subject claim').inputValue()).toBe(evil);
    expect(await page.getByLabel('Topic name').inputValue()).toBe(evil);
    expect(await page.getByLabel('Access token').inputValue()).toBe('');
    expect(await page.content()).not.toContain('must not be shown');
    expect(await page.locator('script, img').count()).toBe(0);
    expect(dialogs).toEqual([]);
    await page.goto(`${pageUrl}?topic_name=a&topic_name=b&subject_claim[x]=y&__proto__[z]=1`);
    await heading(page, 'Claim a topic');
    expect(await page.getByLabel('Topic name').inputValue()).toBe('');
  });

  it('takes no form from a page of another site', async (test) => {
    const page = await openPage(browser, test);
    const { subject, accessToken } = await somebody();
    const topic = newTopic();
    const site = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html').end(`
        <form method="post" action="${pageUrl}">
        <input name="subject_claim" value="${subject}"><input name="access_token" value="${accessToken}">
        <input name="topic_name" value="${topic}"><button>Win a prize</button></form>`);
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    onTestFinished(() => void site.close().closeAllConnections());
    const { port } = site.address() as AddressInfo;
    // Another port of this host is the same site to a browser, yet another origin; another name is both.
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
      await page.goto(`http://${host}`);
      const answered = page.waitForResponse((response) => response.request().method() === 'POST');
      await page.getByRole('button').click();
      expect((await answered).status()).toBe(403);
      expect(await page.getByRole('alert').innerText()).toBe(
        'A page of another site may not send this.',
      );
    }
    expect(await stack.topics()).not.toContain(topic);
    await page.setContent(`<iframe src="${pageUrl}"></iframe>`);
    await page.waitForLoadState('load');
    expect(await page.frames().at(-1)?.locator('form').count()).toBe(0);
  });

  it.for([
    { colorScheme: 'light', width: 320 },
    { colorScheme: 'light', width: 1280 },
    { colorScheme: 'dark', width: 320 },
    { colorScheme: 'dark', width: 1280 },
  ] as const)(
    'is legible, labelled and unclipped: $colorScheme, $width px',
    async ({ colorScheme, width }, test) => {
      const page = await openPage(browser, test, { colorScheme, viewport: { width, height: 800 } });
      const shot = async (name: string): Promise<void> => {
        expect(await pageFaults(page)).toEqual([]);
        const directory = process.env['SCREENSHOTS'];
        if (directory === undefined) return;
        const path = join(directory, `claim-${name}-${colorScheme}-${width}.png`);
        await page.screenshot({ path, fullPage: true });
      };
      const { subject, accessToken } = await somebody();
      const topic = `${newTopic()}_${'long'.repeat(40)}`;
      await page.goto(pageUrl);
      await heading(page, 'Claim a topic');
      await shot('form');
      await send(page, { subject, token: accessToken, topic: `_${topic}` });
      await page.getByRole('alert').waitFor();
      await shot('refused');
      await send(page, { subject, token: accessToken, topic });
      await heading(page, 'Topic claimed');
      await shot('claimed');
      await page.goto(`${stack.serviceUrl}/nowhere`);
      await heading(page, 'That did not work');
      await shot('nowhere');
    },
  );
});
