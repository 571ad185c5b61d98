import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedStack } from '../shared-stack.ts';
import { buildPackage, runApp } from './built-package.ts';
import { signedInEnv, valuesOf } from './topic-content.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The topic that the README's snippets name. */
const topic = 'my_topic';

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, code = '']) => code,
  );

/** Which test runs each command of the README. A command that is not here has no test. */
const testedBy: Readonly<Record<string, string>> = {
  'npm run quickstart': 'quickstart.test.ts',
  'npm test': 'this very run',
  'npm run stack -- --topic my_topic': 'stack.test.ts',
  'npm install diaspora-logger pino': 'packaging/package.test.ts',
  'npx diaspora-logger request-token --save': 'request-token.test.ts',
  'npx diaspora-logger topics claim my_topic': 'docs-account.test.ts',
  'export DIASPORA_BOOTSTRAP=broker.example.org:9094': 'the snippets below',
  'export DIASPORA_TOPIC=my_topic': 'the snippets below',
};

let directory = '';
let env: Record<string, string> = {};

beforeAll(async () => {
  await buildPackage();
  await sharedStack().createTopic(topic, { partitions: 1 });
  env = { ...(await signedInEnv()), DIASPORA_TOPIC: topic };
  // Within the checkout, where the package is found by its name.
  mkdirSync(join(root, '.cache'), { recursive: true });
  directory = mkdtempSync(join(root, '.cache', 'readme-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('The README', () => {
  it('shows no command that no test runs', () => {
    const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
    expect(commands.filter((command) => !(command in testedBy))).toEqual([]);
    expect(commands).toHaveLength(Object.keys(testedBy).length);
  });

  it('shows snippets that run as they stand', async () => {
    const [pino, winston, producer, consumer, ...others] = blocks('js');
    expect(others).toEqual([]);
    const run = async (code = ''): Promise<string> => {
      const file = join(directory, 'snippet.mjs');
      writeFileSync(file, code);
      const { stdout, stderr } = await runApp(file.slice(root.length), [], env);
      expect(stderr).toBe('');
      return stdout;
    };
    await run(pino);
    await run(winston);
    expect(await run(producer)).toMatch(/^stored in partition 0 at offset 2\n$/);
    const read = await run(consumer);
    const values = (await valuesOf(topic)).map((value) => JSON.parse(value));
    expect(values).toMatchObject([
      { level: 30, user: 'ada', msg: 'signed in' },
      { level: 'info', user: 'ada', message: 'signed in' },
      { celsius: 21.5 },
    ]);
    expect(read).toBe(`0 0n ${await valuesOf(topic).then(([first]) => first)}\n`);
  });

  it('names only files that there are', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path = '']) => path);
    expect(links.length).toBeGreaterThan(5);
    for (const link of links)
      expect(() => readFileSync(join(root, link)), link).not.toThrow(/ENOENT/);
  });
});
