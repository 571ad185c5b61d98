/** The pages of Pino and Winston: each snippet run as it stands, and what they say of things that go wrong. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { buildPackage, type Ended } from './built-package.ts';
import { DocsPage } from './docs-page.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { newTopic, recordsOf, signedInEnv } from './topic-content.ts';

/** Which test runs each command of the pages. A command that is not here has none. */
const testedBy = [
  'npm install diaspora-logger pino', // packaging/package.test.ts
  'npm install diaspora-logger winston', // likewise
  'npx diaspora-logger request-token --save', // request-token.test.ts
  'export DIASPORA_BOOTSTRAP=broker.example.org:9094', // each run below
  'export DIASPORA_TOPIC=my_topic', // likewise
];

let signedIn: Record<string, string>;

beforeAll(async () => {
  await buildPackage();
  signedIn = await signedInEnv();
});

interface SnippetEnd extends Ended {
  readonly records: readonly TopicRecord[];
  /** Each record's value, parsed. */
  readonly values: readonly Record<string, unknown>[];
}

/** Runs a file to its end, however that is, with a topic of its own. `sayWhen`: words after which it gets SIGTERM. */
async function runIn(
  directory: SnippetDirectory,
  file: string,
  { sayWhen, env = {} }: { sayWhen?: string; env?: Record<string, string> } = {},
): Promise<SnippetEnd> {
  const topic = await newTopic('docs');
  const app = directory.start(file, { env: { ...signedIn, DIASPORA_TOPIC: topic, ...env } });
  if (sayWhen !== undefined) {
    await app.said(sayWhen);
    app.kill('SIGTERM');
  }
  const end = await app.ended;
  const records = await recordsOf(topic);
  return { ...end, records, values: records.map(({ value }) => JSON.parse(String(value))) };
}

const textHeaders = (record: TopicRecord | undefined): string[][] =>
  (record?.headers ?? []).map(([name, value]) => [name, String(value)]);

const well = { code: 0, signal: null, stderr: '' };

describe.each([
  { name: 'pino', page: new DocsPage('pino.md') },
  { name: 'winston', page: new DocsPage('winston.md') },
])('The page of $name', ({ name, page }) => {
  const directory = new SnippetDirectory(page);
  const run = (file: string, options = {}): Promise<SnippetEnd> => runIn(directory, file, options);
  const text = name === 'pino' ? 'msg' : 'message';

  afterAll(() => directory[Symbol.dispose]());

  it('shows no command that no test runs', () => {
    expect(page.commands().filter((command) => !testedBy.includes(command))).toEqual([]);
  });

  it('app.js makes the record that is shown', async () => {
    const [shown, ...others] = page.ofLanguage('json').map(({ code }) => JSON.parse(code));
    expect(others).toEqual([]);
    const { records, values, ...end } = await run('app.js');
    expect(end).toMatchObject(well);
    expect(records).toMatchObject([{ key: null, headers: [] }]);
    expect(Object.keys(values[0] ?? {})).toEqual(Object.keys(shown));
    const { time: _, pid: _pid, hostname: _hostname, ...same } = shown;
    expect(values[0]).toMatchObject(same);
    if (name === 'pino') expect(records[0]?.timestamp).toBe(values[0]?.['time']);
  });

  it('transformed.js changes one record, and leaves the other out', async () => {
    const { values, ...end } = await run('transformed.js');
    expect(end).toMatchObject(well);
    expect(values).toMatchObject([{ url: '/orders', [text]: 'shipped', region: 'us-east-1' }]);
  });

  it('flush.js has its record in Kafka when it says so', async () => {
    const { values, stdout, ...end } = await run('flush.js');
    expect(end).toMatchObject(well);
    expect(stdout).toMatch(
      name === 'pino' ? /^it is in Kafka$/m : /^1 in Kafka, 0 still to come$/m,
    );
    expect(values).toMatchObject([{ [text]: 'before the flush' }]);
  });

  it('signals.js delivers its last words', async () => {
    const { values, ...end } = await run('signals.js', { sayWhen: 'running' });
    expect(end).toMatchObject(well);
    expect(values.at(-1)).toMatchObject({ [text]: 'stopping', signal: 'SIGTERM' });
  });

  it('events.js counts', async () => {
    const { stdout, ...end } = await run('events.js');
    expect(end).toMatchObject(well);
    expect(stdout).toMatch(/^1 of 1$/m);
  });

  it('events.js tells of trouble', async () => {
    const env = { ...signedIn, DIASPORA_TOPIC: 'a-topic', DIASPORA_BOOTSTRAP: 'localhost:1' };
    const app = directory.start('events.js', { env });
    await app.said('BROKER_UNREACHABLE');
    app.kill('SIGKILL');
    expect((await app.ended).stdout).not.toContain('of 1');
  });

  it('says how a wrong option ends the app', async () => {
    const [, said = ''] =
      /`(?:the process ends with `)?(ConfigurationError: Unknown [^`]+)`/.exec(page.text) ?? [];
    expect(said).toContain('Did you mean');
    const { code } = page.file('app.js');
    const wrong = code
      .replace("pino' });", "pino', options: { topik: 'x' } });")
      .replace('DiasporaTransport()', "DiasporaTransport({ topik: 'x' })");
    expect(wrong).not.toBe(code);
    writeFileSync(join(directory.path, 'wrong.js'), wrong);
    const { stderr, ...end } = await run('wrong.js');
    expect(end.code).toBe(1);
    expect(stderr).toContain(said);
  });

  if (name === 'pino') pinoAlone(page, directory);
  else winstonAlone(directory);

  it('has no snippet that was not tested', () => {
    expect(page.untested()).toEqual([]);
  });
});

function pinoAlone(page: DocsPage, directory: SnippetDirectory): void {
  it('typed.ts is what the types allow, and a wrong option is not', async () => {
    const { code } = page.file('typed.ts');
    await directory.checkTypes('typed.ts');
    writeFileSync(join(directory.path, 'wrong.ts'), code.replace('topic:', 'topik:'));
    await expect(directory.checkTypes('wrong.ts')).rejects.toThrow("'topik' does not exist");
  });

  it('keys.js gives its record a key and headers', async () => {
    const { records, ...end } = await runIn(directory, 'keys.js');
    expect(end).toMatchObject(well);
    expect(records.map(({ key }) => String(key))).toEqual(['kitchen']);
    expect(textHeaders(records[0])).toEqual([
      ['service', 'greenhouse'],
      ['trace', 'a1'],
    ]);
  });

  it('targets.js writes to the console, too', async () => {
    const { values, stdout, ...end } = await runIn(directory, 'targets.js');
    expect(end).toMatchObject(well);
    expect(stdout).toContain('only on the console');
    expect(stdout).toContain('on both');
    expect(values).toMatchObject([{ level: 40, msg: 'on both' }]);
  });

  it('flush with targets calls back before anything is delivered', async () => {
    const { code } = page.file('targets.js');
    const killed = `${code}logger.flush(() => process.kill(process.pid, 'SIGKILL'));\n`;
    writeFileSync(join(directory.path, 'killed.js'), killed);
    expect(await runIn(directory, 'killed.js')).toMatchObject({ signal: 'SIGKILL', values: [] });
  });

  it('pipeline.js ships what its first stage makes', async () => {
    const { values, ...end } = await runIn(directory, 'pipeline.js');
    expect(end).toMatchObject(well);
    expect(values).toMatchObject([{ msg: 'HELLO' }]);
  });

  it('in-process.js delivers, and says so', async () => {
    const { values, stdout, ...end } = await runIn(directory, 'in-process.js');
    expect(end).toMatchObject(well);
    expect(stdout).toBe('1 delivered\n');
    expect(values).toMatchObject([{ user: 'ada', msg: 'signed in' }]);
  });

  it('an app that finds no broker takes the time that the page has, and ends well', async () => {
    const begun = performance.now();
    const env = { DIASPORA_BOOTSTRAP: 'localhost:1' };
    const { code, stderr } = await runIn(directory, 'app.js', { env });
    expect(code).toBe(0);
    expect(stderr).toMatch(/NOT_DELIVERED: .*not delivered at close: 1\./);
    const seconds = (performance.now() - begun) / 1_000;
    expect(page.text).toContain('takes 8 s to end, then says `NOT_DELIVERED`');
    expect(seconds).toBeGreaterThan(8);
    // Then Pino would have ended its worker, and nobody would have said anything.
    expect(seconds).toBeLessThan(15);
  });

  it('a bundle does not find its target, and ends with the words that the page has', async () => {
    const [, said = ''] = /`(unable to determine transport target[^`]+)`/.exec(page.text) ?? [];
    expect(said).not.toBe('');
    const banner = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;
    await build({
      entryPoints: [join(directory.path, 'app.js')],
      outfile: join(directory.path, 'elsewhere', 'bundle.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      banner: { js: banner },
    });
    // A project of its own, in which nothing is installed.
    writeFileSync(join(directory.path, 'elsewhere', 'package.json'), '{}');
    const { code, stderr } = await runIn(directory, 'elsewhere/bundle.mjs');
    expect(code).toBe(1);
    expect(stderr).toContain(said);
  });
}

function winstonAlone(directory: SnippetDirectory): void {
  it('formats.js ships the stack and the time', async () => {
    const { records, values, ...end } = await runIn(directory, 'formats.js');
    expect(end).toMatchObject(well);
    const [error] = values;
    expect(error).toMatchObject({ level: 'error', message: 'the pump does not answer' });
    expect(error?.['stack']).toContain('formats.js:');
    expect(records[0]?.timestamp).toBe(Date.parse(String(error?.['timestamp'])));
  });

  it('errors arrive without their text where no format asks for it', async () => {
    writeFileSync(
      join(directory.path, 'bare.js'),
      `import { DiasporaTransport } from 'diaspora-logger/winston';
       import winston from 'winston';
       winston.createLogger({ transports: [new DiasporaTransport()] }).error(new Error('lost'));`,
    );
    expect((await runIn(directory, 'bare.js')).values).toEqual([{ level: 'error' }]);
  });

  it('options.js writes to the console, and gives what it ships a key and headers', async () => {
    const { records, values, stdout, ...end } = await runIn(directory, 'options.js');
    expect(end).toMatchObject(well);
    expect(stdout).toContain('only on the console');
    expect(values).toEqual([
      { level: 'warn', message: 'too warm', sensor: 'kitchen', trace: 'a1', celsius: 31.5 },
    ]);
    expect(String(records[0]?.key)).toBe('kitchen');
    expect(textHeaders(records[0])).toEqual([
      ['service', 'greenhouse'],
      ['trace', 'a1'],
    ]);
  });

  it('exceptions.js delivers its last words', async () => {
    const { values, code } = await runIn(directory, 'exceptions.js');
    expect(code).toBe(1);
    expect(values).toMatchObject([{ message: 'started' }, { level: 'error', exception: true }]);
    expect(values[1]?.['message']).toContain('nobody catches this');
  });
}
