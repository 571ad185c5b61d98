/** The page of Lambda: its handlers, in a process that is frozen between two invocations as AWS freezes it. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStack } from '../../stack/stack.ts';
import { buildPackage } from './built-package.ts';
import { DocsPage } from './docs-page.ts';
import { LambdaFunction } from './lambda-service.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { newTopic, signedInEnv, valuesOf } from './topic-content.ts';

const page = new DocsPage('lambda.md');
const directory = new SnippetDirectory(page);
const handlers = ['handler.mjs', 'pino-handler.mjs', 'producer-handler.mjs'];

/** Which test runs each command of the page. */
const testedBy = [
  'npm install diaspora-logger winston', // packaging/package.test.ts
  'npx diaspora-logger request-token', // request-token.test.ts
];

beforeAll(() => buildPackage());
afterAll(() => directory[Symbol.dispose]());

const pathsOf = async (topic: string): Promise<unknown[]> =>
  (await valuesOf(topic)).map((value) => JSON.parse(value).path);

async function startFunction(file: string, topic: string, env = {}): Promise<LambdaFunction> {
  page.ran(file);
  const all = { ...(await signedInEnv()), DIASPORA_TOPIC: topic, HOME: '/nowhere', ...env };
  return LambdaFunction.start({ file, directory: directory.path, env: all, timeoutMs: 10_000 });
}

describe.each(handlers)('The handler %s', (file) => {
  it('has everything in Kafka when its process is frozen, at each invocation', async () => {
    const topic = await newTopic('lambda');
    await using lambda = await startFunction(file, topic);
    const logged: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      logged.push(`/${i}`);
      const { answer, failed } = await lambda.invoke({ path: `/${i}` });
      expect({ answer, failed }).toMatchObject({ answer: { statusCode: 200 }, failed: false });
      // Frozen: nothing can come any more.
      expect(await pathsOf(topic)).toEqual(logged);
    }
    expect((await lambda.end()).stderr).toBe('');
  });
});

describe('A handler', () => {
  it('that fails has flushed, too', async () => {
    const topic = await newTopic('lambda');
    const { code } = page.file('handler.mjs');
    const failing = code.replace(
      'return { statusCode: 200 };',
      "throw new Error('of the handler');",
    );
    expect(failing).not.toBe(code);
    writeFileSync(join(directory.path, 'failing.mjs'), failing);
    await using lambda = await startFunction('failing.mjs', topic);
    expect(await lambda.invoke({ path: '/1' })).toMatchObject({
      failed: true,
      answer: { errorMessage: 'of the handler' },
    });
    expect(await pathsOf(topic)).toEqual(['/1']);
  });

  it('answers before its time is up where no broker can be reached', async () => {
    await using lambda = await LambdaFunction.start({
      file: 'handler.mjs',
      directory: directory.path,
      env: {
        ...(await signedInEnv()),
        DIASPORA_TOPIC: 'a-topic',
        DIASPORA_BOOTSTRAP: 'localhost:1',
      },
    });
    const { answer, tookMs } = await lambda.invoke({ path: '/1' });
    expect(answer).toEqual({ statusCode: 200 });
    expect(tookMs).toBeGreaterThan(2_000);
    expect(tookMs).toBeLessThan(3_000);
    expect((await lambda.end()).stderr).toContain('diaspora-logger BROKER_UNREACHABLE');
  });

  it('goes on after a freeze that neither its connections nor its token have lived through', async () => {
    const tokenLifeMs = 4_000;
    await using stack = await startStack({
      accessTokenTtl: tokenLifeMs / 1_000,
      kafkaProperties: { 'connections.max.idle.ms': '1000' },
    });
    const topic = 'frozen';
    const [, port = ''] = stack.bootstrap('OAUTH').split(':');
    await stack.createTopic(topic);
    const { refreshToken } = await stack.globus.signIn();
    const env = { ...stack.env, DIASPORA_REFRESH: refreshToken };
    const started = await Promise.all(
      handlers.map(async (file) => ({ file, lambda: await startFunction(file, topic, env) })),
    );
    try {
      for (const { file, lambda } of started) await lambda.invoke({ path: `/${file}/before` });
      const frozenAt = Date.now();
      const outlived = (): boolean =>
        Date.now() - frozenAt > tokenLifeMs &&
        started.every(({ lambda }) => closedByPeer(lambda.pid, port));
      await expect.poll(outlived, { timeout: 20_000 }).toBe(true);
      for (const { file, lambda } of started) {
        const { answer } = await lambda.invoke({ path: `/${file}/after` });
        expect(answer).toMatchObject({ statusCode: 200 });
      }
    } finally {
      await Promise.all(started.map(({ lambda }) => lambda.end()));
    }
    const paths: unknown[] = [];
    for await (const { value } of stack.readTopic(topic))
      paths.push(JSON.parse(String(value)).path);
    expect(paths).toEqual(
      ['before', 'after'].flatMap((when) => handlers.map((file) => `/${file}/${when}`)),
    );
  });
});

it.each([
  { flush: 'A flush sends what lingers', file: 'handler.mjs', there: ['/1'] },
  { flush: 'Without one, what lingers is frozen', file: 'unflushed.mjs', there: [] },
])('$flush', async ({ file, there }) => {
  writeUnflushed();
  const code = readFileSync(join(directory.path, file), 'utf8');
  const lingering = code.replace('DiasporaTransport()', 'DiasporaTransport({ lingerMs: 60_000 })');
  expect(lingering).not.toBe(code);
  writeFileSync(join(directory.path, 'lingering.mjs'), lingering);
  const topic = await newTopic('lambda');
  await using lambda = await startFunction('lingering.mjs', topic);
  await lambda.invoke({ path: '/1' });
  expect(await pathsOf(topic)).toEqual(there);
});

it('A flush costs an invocation about a round trip', async (context) => {
  const run = async (file: string): Promise<number> => {
    await using lambda = await startFunction(file, await newTopic('lambda'));
    const first = await lambda.invoke({ path: '/first' });
    const took: number[] = [];
    for (let i = 0; i < 60; i += 1) took.push((await lambda.invoke({ path: `/${i}` })).tookMs);
    const [median = 0, worst = 0] = [30, 59].map((at) => took.toSorted((a, b) => a - b)[at]);
    await context.annotate(
      `${file}: first ${first.tookMs.toFixed()} ms, then median ${median.toFixed(1)} ms, worst of 60 ${worst.toFixed(1)} ms`,
    );
    return median;
  };
  writeUnflushed();
  const without = await run('unflushed.mjs');
  // Far above what a round trip takes on loopback, and below what any time-out would.
  for (const file of handlers) expect((await run(file)) - without, file).toBeLessThan(1_000);
});

it('The page shows no command and no snippet that no test runs', () => {
  expect(page.commands()).toEqual(testedBy);
  expect(page.untested()).toEqual([]);
});

/** The page's handler, but for the flush. */
function writeUnflushed(): void {
  const { code } = page.file('handler.mjs');
  const unflushed = code.replace(/^ *await transport\.flush.*\n/m, '');
  expect(unflushed).not.toBe(code);
  writeFileSync(join(directory.path, 'unflushed.mjs'), unflushed);
}

/** Whether the process has connections to this port, and each was closed at the other end: proc(5), CLOSE_WAIT is 08. */
function closedByPeer(pid: number, port: string): boolean {
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const inodes = new Set(open.map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const remote = `:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
  const states = ['tcp', 'tcp6']
    .flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, 'utf8').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , address, , , , , , , inode]) => address?.endsWith(remote) && inodes.has(inode))
    .map(([, , , state]) => state);
  return states.length > 0 && states.every((state) => state === '08');
}
