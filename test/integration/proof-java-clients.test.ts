import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { produceAndConsumeInJava } from '../../stack/java-tools.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let directory: string;

beforeAll(async () => {
  await buildPackage();
  directory = await mkdtemp(join(tmpdir(), 'java-clients-'));
  return () => rm(directory, { recursive: true });
});

interface Person {
  readonly username: string;
  /** Where the file is written. */
  readonly out: string;
  /** Where the certificates to trust lie. */
  readonly caFile: string;
}

/** `diaspora-logger request-token --java`, with a person who signs in. Answers the path that it tells. */
async function requestToken({ username, out, caFile }: Person): Promise<string> {
  const { env, globus } = sharedStack();
  const args = ['request-token', '--java', '--json', '--no-browser', '--out', out];
  const child = spawn(process.execPath, [commandLine, ...args], {
    env: { PATH: process.env['PATH'], ...env, DIASPORA_CA_FILE: caFile },
  });
  const ended = once(child, 'close');
  const stdout = text(child.stdout);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const authorizeUrl = (): string | undefined => /https?:\S+(?=\n)/.exec(said)?.[0];
  while (authorizeUrl() === undefined) await once(child.stderr, 'data');
  const page = await globus.approve(authorizeUrl() ?? '', username);
  child.stdin.end(`${page.searchParams.get('code')}\n`);
  await ended;
  expect(child.exitCode, said).toBe(0);
  const told = JSON.parse(await stdout);
  expect(told).toMatchObject({ username });
  return told.javaProperties;
}

/** The file as it stands, and nothing of the environment but the flag that the file itself names. */
async function expectUsableInJava(properties: string, principal: string): Promise<void> {
  const stack = sharedStack();
  const topic = uniqueTopic('java');
  await stack.createTopic(topic, { partitions: 2, owner: principal });
  const written = await readFile(properties, 'utf8');
  const [flag = ''] = /-Dorg\.apache\.kafka\.\S+/.exec(written) ?? [];
  await produceAndConsumeInJava(properties, topic, { count: 20, javaOptions: [flag] });
  const offsets = await stack.endOffsets(topic);
  expect([...offsets.values()].reduce((sum, offset) => sum + offset, 0n)).toBe(20n);
}

describe("Kafka's Java producer and consumer take the properties that request-token writes", () => {
  it('as they stand', async () => {
    const { oauthPrincipal, caFile } = sharedStack();
    const properties = await requestToken({ username: oauthPrincipal, out: directory, caFile });
    expect(properties).toBe(join(directory, `${oauthPrincipal.split('@')[0]}.properties`));
    expect((await stat(properties)).mode & 0o777).toBe(0o600);
    await expectUsableInJava(properties, oauthPrincipal);
  });

  it.each([
    ['spaces', ' of  the lab '],
    ['quotes', `the "lab's" \`own\``],
    ['backslashes', 'C:\\temp\\new\\u0041'],
    ['what separates keys from values', 'a=b:c=d'],
    ['what begins comments', '#lab!'],
    ['a variable', '$HOME %TEMP% $1'],
  ])('in a directory, and with a truststore, whose names hold %s', async (_what, name) => {
    const { oauthPrincipal, caFile } = sharedStack();
    const out = join(directory, name);
    await mkdir(out);
    const copy = join(out, `trust ${name}.pem`);
    await copyFile(caFile, copy);
    const properties = await requestToken({ username: oauthPrincipal, out, caFile: copy });
    await expectUsableInJava(properties, oauthPrincipal);
  });

  it.each([
    'o`hara,(the)&boss;@example.org',
    'back\\slash:colon@example.org',
    '../../up@example.org',
    '=#!$HOME@example.org',
  ])('for a principal such as %s', async (username) => {
    const out = await mkdtemp(join(directory, 'principal-'));
    const { caFile } = sharedStack();
    const properties = await requestToken({ username, out, caFile });
    // A name from outside never leads out of the directory.
    expect(await readdir(out)).toHaveLength(1);
    expect(join(out, (await readdir(out))[0] ?? '')).toBe(properties);
    await expectUsableInJava(properties, username);
  });
});
