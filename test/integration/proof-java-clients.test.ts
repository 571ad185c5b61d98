import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { produceAndConsumeInJava } from '../../stack/java-tools.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import { requestToken } from './requested-token.ts';

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

/** Answers the path that `diaspora-logger request-token --java` tells. */
async function writtenProperties({ username, out, caFile }: Person): Promise<string> {
  const { env, globus } = sharedStack();
  const told = await requestToken({
    globus,
    username,
    flags: ['--java', '--out', out],
    env: { ...env, DIASPORA_CA_FILE: caFile },
  });
  expect(told).toMatchObject({ username });
  return String(told['javaProperties']);
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
    const properties = await writtenProperties({
      username: oauthPrincipal,
      out: directory,
      caFile,
    });
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
    const properties = await writtenProperties({ username: oauthPrincipal, out, caFile: copy });
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
    const properties = await writtenProperties({ username, out, caFile });
    // A name from outside never leads out of the directory.
    expect(await readdir(out)).toHaveLength(1);
    expect(join(out, (await readdir(out))[0] ?? '')).toBe(properties);
    await expectUsableInJava(properties, username);
  });
});
