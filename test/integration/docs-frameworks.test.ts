/** The pages of Fastify and NestJS: apps of theirs, started as users have them, asked over HTTP, stopped by SIGTERM. */
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freePorts } from '../../stack/free-ports.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { InstalledProject, root } from '../packaging/installed-project.ts';
import { buildPackage, type Ended, type RunningApp, startApp } from './built-package.ts';
import { DocsPage } from './docs-page.ts';
import { firstAnswer } from './running-server.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { newTopic, recordsOf, signedInEnv } from './topic-content.ts';

/** Which test runs each command of the pages. A command that is not here has none. */
const testedBy = [
  'npm install diaspora-logger fastify', // packaging/package.test.ts installs the package, with others
  'npm install diaspora-logger nestjs-pino pino pino-http', // below
  'npx diaspora-logger request-token --save', // request-token.test.ts
  'export DIASPORA_BOOTSTRAP=broker.example.org:9094', // each run below
  'export DIASPORA_TOPIC=my_topic', // likewise
];

const manifest = z
  .object({ devDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

let signedIn: Record<string, string>;

beforeAll(async () => {
  await buildPackage();
  signedIn = await signedInEnv();
});

interface Served {
  readonly end: Ended;
  readonly records: readonly TopicRecord[];
  /** Each record's value, parsed. */
  readonly values: readonly Record<string, unknown>[];
  readonly bodies: readonly unknown[];
}

/** Starts a server, asks it for each path, and stops it as soon as it has given the last answer. */
async function serve(
  start: (env: Record<string, string>) => RunningApp,
  paths: readonly string[],
  headers: Record<string, string> = {},
): Promise<Served> {
  const topic = await newTopic('docs');
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const app = start({ ...signedIn, DIASPORA_TOPIC: topic, PORT: String(port) });
  await (await firstAnswer(app, `${url}/first`)).text();
  const bodies: unknown[] = [];
  for (const path of paths) bodies.push(await (await fetch(url + path, { headers })).json());
  app.kill('SIGTERM');
  const end = await app.ended;
  const records = await recordsOf(topic);
  return { end, records, values: records.map(({ value }) => JSON.parse(String(value))), bodies };
}

const keysOf = (records: readonly TopicRecord[]): (string | null)[] =>
  records.map(({ key }) => (key === null ? null : String(key)));

const well = { code: 0, signal: null, stderr: '' };

describe('The page of Fastify', () => {
  const page = new DocsPage('fastify.md');
  const directory = new SnippetDirectory(page);
  const start = (file: string) => (env: Record<string, string>) => directory.start(file, { env });

  afterAll(() => directory[Symbol.dispose]());

  it('app.js makes three records of each request, keyed by its id', async () => {
    const { end, records, values } = await serve(start('app.js'), ['/', '/']);
    expect(end).toMatchObject(well);
    const ofLast = values.filter(({ reqId }) => reqId === 'req-3');
    expect(ofLast.map(({ msg }) => msg)).toEqual([
      'incoming request',
      'measured',
      'request completed',
    ]);
    expect(keysOf(records)).toEqual(values.map(({ reqId }) => reqId ?? null));
    expect(values.filter(({ msg }) => msg === 'measured')).toHaveLength(2);
  });

  it('request-ids.js takes the id that the proxy gave, and makes one where there is none', async () => {
    const headers = { 'x-request-id': 'from-the-proxy' };
    const { end, records } = await serve(start('request-ids.js'), ['/'], headers);
    expect(end).toMatchObject(well);
    const keys = new Set(keysOf(records.filter(({ key }) => key !== null)));
    expect([...keys].filter((key) => key === 'from-the-proxy')).toHaveLength(1);
    expect([...keys].filter((key) => /^[\da-f-]{36}$/.test(String(key)))).toHaveLength(1);
  });

  it('own-logger.js logs what its handlers do, tells its counters, and delivers its last words', async () => {
    const { end, values, bodies } = await serve(start('own-logger.js'), ['/', '/health']);
    expect(end).toMatchObject(well);
    expect(bodies[1]).toEqual({
      acknowledged: expect.any(Number),
      buffered: expect.any(Number),
      dropped: 0,
    });
    const messages = values.map(({ msg }) => msg);
    expect(messages).toContain('measured');
    expect(messages.at(-1)).toBe('stopped');
  });

  it('shows no command and no snippet that no test runs', () => {
    expect(page.commands().filter((command) => !testedBy.includes(command))).toEqual([]);
    expect(page.untested()).toEqual([]);
  });
});

describe('The page of NestJS', () => {
  const page = new DocsPage('nestjs.md');
  const nest = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata'];
  const logging = ['nestjs-pino', 'pino', 'pino-http', 'rxjs', '@types/node'];
  /** What Nest's own command line sets for a new project. */
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: '.',
    outDir: 'out',
  };
  let project: InstalledProject;

  /** Compiles the page's files, some of them changed, in a part of the project of its own. */
  async function compile(
    part: string,
    type: 'module' | 'commonjs',
    change: (code: string) => string = (code) => code,
  ): Promise<(env: Record<string, string>) => RunningApp> {
    const directory = join(project.directory, part);
    await mkdir(directory);
    await writeFile(join(directory, 'package.json'), JSON.stringify({ type }));
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    for (const { file, code } of page.files()) {
      page.ran(file);
      await writeFile(join(directory, file), change(code));
    }
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
    await project.run(process.execPath, [tsc, '--project', directory]);
    const main = relative(root, join(directory, 'out', 'main.js'));
    return (env) => startApp(main, [], env, process.execPath, directory);
  }

  beforeAll(async () => {
    project = await InstalledProject.create();
    const { devDependencies } = manifest;
    await project.install(
      ...[...nest, ...logging].map((name) => `${name}@${devDependencies[name]}`),
    );
  });
  afterAll(() => project?.[Symbol.asyncDispose]());

  it.each(['commonjs', 'module'] as const)(
    'the app, compiled as %s, logs each request under its id, and Nest’s own words',
    async (type) => {
      const { end, records, values, bodies } = await serve(await compile(type, type), ['/', '/']);
      expect(end).toMatchObject(well);
      expect(bodies).toEqual([{ celsius: 21.5 }, { celsius: 21.5 }]);
      expect(keysOf(records)).toEqual(
        values.map(({ reqId }) => (reqId === undefined ? null : String(reqId))),
      );
      const ofLast = values.filter(({ reqId }) => reqId === 3);
      expect(ofLast).toMatchObject([
        { context: 'AppController', celsius: 21.5, msg: 'measured' },
        { res: { statusCode: 200 }, msg: 'request completed' },
      ]);
      expect(values.map(({ msg }) => msg)).toContain('Nest application successfully started');
    },
  );

  it('takes the id that the proxy gave, and leaves out what it is told to', async () => {
    const start = await compile('request-ids', 'module', (code) =>
      code
        .replace(/forRoot\(\{[\s\S]*?\n {4}\}\)/, 'forRoot(logging)')
        .replace(/(import \{ LoggerModule.*\n)/, "$1import { logging } from './request-ids.js';\n"),
    );
    const headers = { 'x-request-id': 'from-the-proxy' };
    const { end, records, values } = await serve(start, ['/', '/health'], headers);
    expect(end).toMatchObject(well);
    expect(keysOf(records).filter((key) => key === 'from-the-proxy')).toHaveLength(2);
    expect(JSON.stringify(values)).not.toContain('"/health"');
  });

  it('ends by the signal itself where useProcessExit is missing', async () => {
    const start = await compile('signal', 'module', (code) =>
      code.replace('enableShutdownHooks([], { useProcessExit: true })', 'enableShutdownHooks()'),
    );
    expect((await serve(start, ['/'])).end).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('shows no command and no snippet that no test runs', () => {
    expect(page.commands().filter((command) => !testedBy.includes(command))).toEqual([]);
    expect(page.untested()).toEqual([]);
  });
});
