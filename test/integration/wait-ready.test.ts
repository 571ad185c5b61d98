import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { blockUntilReady, type ReadyOptions } from '../../src/ready/block-until-ready.ts';
import type { ReadyProgress } from '../../src/ready/progress.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { type Account, Accounts } from './account.ts';
import { buildPackage, startApp } from './built-package.ts';
import { startCommand } from './command.ts';

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
  for (const broker of stack.brokers) broker.thaw();
  await stack.globus.reset();
  await stack.topicService.reset();
});

/** What a program of this person's would find in its environment: here it is handed over, the tests have one process. */
async function optionsOf(account: Account, version: 'v3' | 'v1' = 'v3'): Promise<ReadyOptions> {
  const listener = version === 'v3' ? 'OAUTH' : 'SCRAM';
  const refreshToken = (await account.store.readAll()).find(
    ({ resource_server: server }) => server !== 'auth.globus.org',
  )?.refresh_token;
  return {
    bootstrapBrokers: stack.bootstrap(listener),
    auth: {
      type: 'diaspora',
      apiVersion: version,
      serviceUrl: stack.serviceUrl,
      issuer: stack.issuer,
      subject: account.subject,
      ...(refreshToken && { refreshToken }),
    },
    tls: { ca: stack.caFile },
  };
}

/** Where this person's key is kept: the store's directory is the process's. */
async function at<T>(account: Account, action: () => Promise<T>): Promise<T> {
  process.env['DIASPORA_USER_DIR'] = account.home;
  try {
    return await action();
  } finally {
    delete process.env['DIASPORA_USER_DIR'];
  }
}

interface Waited {
  readonly isReady: boolean;
  readonly tookMs: number;
  readonly told: readonly ReadyProgress[];
}

async function wait(account: Account, options: ReadyOptions): Promise<Waited> {
  const told: ReadyProgress[] = [];
  const startedAt = performance.now();
  const isReady = await at(account, () =>
    blockUntilReady({ ...options, onProgress: (progress) => told.push(progress) }),
  );
  return { isReady, tookMs: performance.now() - startedAt, told };
}

const reasonsOf = (told: readonly ReadyProgress[]): string =>
  told.map(({ reason }) => reason ?? '').join('\n');

describe('blockUntilReady', () => {
  it.each(['v3', 'v1'] as const)(
    'is true once a new key of %s works, not before, and soon after',
    async (version) => {
      const keyDelayMs = 6_000;
      await stack.topicService.set({ keyDelayMs });
      const person = await accounts.signedIn();
      const { isReady, tookMs, told } = await wait(person, await optionsOf(person, version));
      expect(isReady).toBe(true);
      // The key is not older than the waiting.
      expect(tookMs).toBeGreaterThan(keyDelayMs);
      expect(tookMs).toBeLessThan(keyDelayMs + 20_000);
      expect(told.length).toBeGreaterThan(0);
      expect(reasonsOf(told)).toMatch(/refuse|does not accept|not take/i);
    },
  );

  it('writes one record, and reads this very record', async () => {
    const person = await accounts.signedIn();
    const options = await optionsOf(person);
    expect((await wait(person, options)).isReady).toBe(true);
    // Another one's leftovers do not count.
    expect((await wait(person, options)).isReady).toBe(true);
    const values: string[] = [];
    const topic = `ns-${person.subject.slice(-12)}.connection-test`;
    for await (const { value } of stack.readTopic(topic)) values.push(String(value));
    expect(values).toHaveLength(2);
    expect(new Set(values).size).toBe(2);
    for (const value of values)
      expect(value).toMatch(/^diaspora-logger connection test [\w-]{36}$/);
  });

  it('works with every other way to sign in, where a topic is named', async () => {
    const topic = uniqueTopic('ready');
    await stack.createTopic(topic);
    const { refreshToken } = await stack.globus.signIn();
    const isReady = await blockUntilReady({
      bootstrapBrokers: stack.bootstrap('OAUTH'),
      auth: { type: 'globus', issuer: stack.issuer, refreshToken },
      tls: { ca: stack.caFile },
      topic,
      onProgress: () => {},
    });
    expect(isReady).toBe(true);
    expect([...(await stack.endOffsets(topic)).values()]).toEqual([1n]);
  });

  it('waits for a right, and is false where only writing works', async () => {
    const topic = uniqueTopic('write-only');
    await stack.createTopic(topic, { owner: [] });
    await stack.grant('writer@example.org', { topic }, ['WRITE', 'DESCRIBE']);
    const { refreshToken } = await stack.globus.signIn('writer@example.org');
    const told: ReadyProgress[] = [];
    const options: ReadyOptions = {
      bootstrapBrokers: stack.bootstrap('OAUTH'),
      auth: { type: 'globus', issuer: stack.issuer, refreshToken },
      tls: { ca: stack.caFile },
      topic,
      onProgress: (progress) => told.push(progress),
    };
    expect(await blockUntilReady({ ...options, maxMinutes: 0.25 })).toBe(false);
    expect(told.map(({ step }) => step)).toContain('read');
    expect(reasonsOf(told)).toMatch(/may not read|READ/);
    const waiting = blockUntilReady(options);
    await stack.grant('writer@example.org', { topic }, ['READ']);
    await stack.grant('writer@example.org', { group: '*' }, ['READ']);
    expect(await waiting).toBe(true);
  });

  it('waits for a service that is down, and goes on when it is back', async () => {
    const person = await accounts.signedIn();
    await stack.topicService.set({ fault: { kind: 'status', times: 5 } });
    const { isReady, told } = await wait(person, await optionsOf(person));
    expect(isReady).toBe(true);
    expect(reasonsOf(told)).toContain('503');
  });

  it('takes the key of v3 that is good now in place of one that has ended', async () => {
    const person = await accounts.signedIn();
    await accounts.run(['keys', 'put', '--access-key', 'DSPAENDED'], {
      env: person.env,
      input: 'a-key-that-has-ended\n',
    });
    expect((await wait(person, await optionsOf(person))).isReady).toBe(true);
  });

  it('is false at its time limit for a password that is wrong, and keeps it', async () => {
    const person = await accounts.signedIn();
    const v1 = ['--api-version', 'v1'];
    await accounts.run(['keys', 'put', ...v1], { env: person.env, input: 'a-wrong-password\n' });
    const options = await optionsOf(person, 'v1');
    const { isReady, tookMs, told } = await wait(person, { ...options, maxMinutes: 0.2 });
    expect(isReady).toBe(false);
    expect(tookMs).toBeGreaterThanOrEqual(12_000);
    expect(tookMs).toBeLessThan(12_000 + 10_000);
    expect(reasonsOf(told)).toContain('SCRAM');
    const requests = await stack.topicService.requests();
    expect(requests.map(({ path }) => path)).not.toContain('/v1/create_key');
  });

  it('is false soon after its time limit where the broker hangs', async () => {
    const person = await accounts.signedIn();
    const options = await optionsOf(person);
    // The topic is there: the service would wait for Kafka, too.
    expect((await wait(person, options)).isReady).toBe(true);
    const topic = `ns-${person.subject.slice(-12)}.connection-test`;
    for (const broker of stack.brokers) broker.freeze();
    const { isReady, tookMs } = await wait(person, { ...options, topic, maxMinutes: 0.1 });
    expect(isReady).toBe(false);
    expect(tookMs).toBeLessThan(6_000 + 10_000);
  });

  it('is false soon after its time limit where the broker hangs in the middle of it', async () => {
    const topic = uniqueTopic('frozen');
    await stack.createTopic(topic, { owner: [] });
    await stack.grant('writer@example.org', { topic }, ['WRITE', 'DESCRIBE']);
    const { refreshToken } = await stack.globus.signIn('writer@example.org');
    const told: ReadyProgress[] = [];
    const startedAt = performance.now();
    const isReady = await blockUntilReady({
      bootstrapBrokers: stack.bootstrap('OAUTH'),
      auth: { type: 'globus', issuer: stack.issuer, refreshToken },
      tls: { ca: stack.caFile },
      topic,
      maxMinutes: 0.25,
      onProgress: (progress) => {
        told.push(progress);
        // It has written, and could not read.
        if (progress.step === 'read') for (const broker of stack.brokers) broker.freeze();
      },
    });
    expect(isReady).toBe(false);
    expect(told.map(({ step }) => step)).toContain('read');
    expect(performance.now() - startedAt).toBeLessThan(15_000 + 10_000);
  });

  it.each([
    ['ready', {}],
    ['the broker is not there', { bootstrapBrokers: 'localhost:1', maxMinutes: 0.05 }],
  ])('leaves nothing behind that keeps a process alive: %s', async (_what, change) => {
    const person = await accounts.signedIn();
    const options = JSON.stringify({ ...(await optionsOf(person)), ...change });
    const app = startApp('test/integration/apps/block-until-ready.mjs', [options], person.env);
    const { code, stdout } = await app.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('unhandled');
    const [, answered = '', ended = ''] = /after (\d+) ms\nended after (\d+) ms/.exec(stdout) ?? [];
    expect(Number(ended) - Number(answered)).toBeLessThan(500);
  });

  it('ends at a signal, with its reason', async () => {
    const person = await accounts.signedIn();
    await stack.topicService.set({ keyDelayMs: 60_000 });
    const options = await optionsOf(person);
    const stop = new AbortController();
    const reason = new Error('Enough.');
    const waiting = at(person, () =>
      blockUntilReady({
        ...options,
        signal: stop.signal,
        onProgress: () => stop.abort(reason),
      }),
    );
    await expect(waiting).rejects.toBe(reason);
    await expect(blockUntilReady({ ...options, signal: stop.signal })).rejects.toBe(reason);
  });

  it('goes on though whoever is told of its progress throws', async () => {
    await stack.topicService.set({ keyDelayMs: 2_000 });
    const person = await accounts.signedIn();
    const options = await optionsOf(person);
    const isReady = await at(person, () =>
      blockUntilReady({
        ...options,
        onProgress: () => {
          throw new Error('No.');
        },
      }),
    );
    expect(isReady).toBe(true);
  });

  it('throws at once where only a person can help', async () => {
    const nobody = accounts.newcomer();
    const missing = await optionsOf(nobody);
    await expect(at(nobody, () => blockUntilReady(missing))).rejects.toMatchObject({
      code: 'CREDENTIALS_MISSING',
    });
    const person = await accounts.signedIn();
    const options = await optionsOf({ ...person, subject: nobody.subject });
    await expect(at(person, () => blockUntilReady(options))).rejects.toMatchObject({
      name: 'ServiceError',
      retriable: false,
    });
    await expect(
      blockUntilReady({
        bootstrapBrokers: stack.bootstrap('OAUTH'),
        auth: { type: 'scram', username: 'station', password: 'any' },
        tls: { ca: stack.caFile },
        topic: 'any',
      }),
    ).rejects.toThrow(/does not take SCRAM-SHA-512/);
  });
});

describe('wait-ready', () => {
  it('makes the key, waits for it with news on stderr, and says when it works', async () => {
    await stack.topicService.set({ keyDelayMs: 3_000 });
    const { env } = await accounts.signedIn();
    const end = await accounts.run(['wait-ready'], { env });
    expect(end.code).toBe(0);
    expect(end.out).toMatch(/^ready after \d+ s\n$/);
    expect(end.err).toMatch(
      /^diaspora-logger: not ready yet after \d+ s \(try 1, gives up in (5 min|4 min \d+ s)\): \S/,
    );
    const again = await accounts.run(['wait-ready', '--json'], { env });
    expect(again.err).toBe('');
    expect(JSON.parse(again.out)).toMatchObject({ ready: true, reason: null });
  });

  it('exits with 4 where the key does not work in time, and says why', async () => {
    await stack.topicService.set({ keyDelayMs: 600_000 });
    const { env } = await accounts.signedIn();
    const end = await accounts.run(['wait-ready', '--max-minutes', '0.3', '--json'], { env });
    expect(end.code).toBe(4);
    expect(JSON.parse(end.out)).toMatchObject({
      ready: false,
      reason: expect.stringMatching(/\S/),
    });
    expect(end.err).toMatch(
      /\ndiaspora-logger: not ready within 0.3 min\. The last try: [^\n]+\n$/,
    );
  });

  it.each([
    ['nobody is signed in', [], {}, 3, /request-token/],
    [
      'the broker is not there',
      ['--brokers', 'localhost:1', '--max-minutes', '0.05'],
      {},
      4,
      /not ready within 0.05 min/,
    ],
    [
      'the service is not there',
      ['--max-minutes', '0.3'],
      { DIASPORA_SERVICE_URL: 'http://127.0.0.1:1' },
      4,
      /ECONNREFUSED/,
    ],
    [
      'the service of a flag is not there',
      ['--service-url', 'http://127.0.0.1:1', '--max-minutes', '0.3'],
      {},
      4,
      /ECONNREFUSED/,
    ],
    ['the time is no number', ['--max-minutes', 'soon'], {}, 2, /--max-minutes/],
    ['no topic is named for Globus', ['--auth', 'globus'], {}, 2, /"topic" is needed/],
  ])('says that %s', async (_what, args, change, code, words) => {
    const isSignedIn = code !== 3;
    const { env } = isSignedIn ? await accounts.signedIn() : accounts.newcomer();
    const end = await accounts.run(['wait-ready', ...args], { env: { ...env, ...change } });
    expect(end).toMatchObject({ code, out: '' });
    expect(end.err).toMatch(words);
  });

  it("waits for another's topic in vain", async () => {
    const topic = uniqueTopic('private');
    await stack.createTopic(topic, { owner: 'somebody.else@example.org' });
    const { env } = await accounts.signedIn();
    const args = ['wait-ready', '--auth', 'globus', '--topic', topic, '--max-minutes', '0.08'];
    const end = await accounts.run(args, { env });
    expect(end).toMatchObject({ code: 4, out: '' });
    expect(end.err).toContain(topic);
  });

  it('ends at Ctrl-C with 130, and nothing hangs on', async () => {
    await stack.topicService.set({ keyDelayMs: 600_000 });
    const { env } = await accounts.signedIn();
    const command = startCommand(['wait-ready'], { env });
    await command.said('not ready yet');
    command.kill('SIGINT');
    const end = await command.ended;
    expect(end).toMatchObject({ code: 130, out: '' });
    expect(end.err).toMatch(/\ndiaspora-logger: Interrupted: not ready\.\n$/);
  });
});

it('No command has printed a secret of the stack', () => {
  accounts.expectNothingSecret();
});
