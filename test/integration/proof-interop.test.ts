import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { runKafkaTool } from '../../stack/java-tools.ts';
import { sharedStack } from '../shared-stack.ts';
import { flood } from '../support/flood.ts';
import { pythonWith } from '../support/python.ts';
import { buildPackage, runApp } from './built-package.ts';
import { requestToken } from './requested-token.ts';
import { newTopic, signedInEnv } from './topic-content.ts';

const stack = sharedStack();

/** Of each of the two writers. One of Pino's is of 900 KiB and more. */
const count = 3_000;

let python: string;
/** What `request-token --java` wrote. */
let properties: string;

beforeAll(async () => {
  await buildPackage();
  python = await pythonWith('requirements.txt');
  const directory = await mkdtemp(join(tmpdir(), 'interop-'));
  const { globus, oauthPrincipal: username, env } = stack;
  const flags = ['--java', '--out', directory];
  const told = await requestToken({ globus, username, flags, env: { ...env } });
  properties = String(told['javaProperties']);
  return () => rm(directory, { recursive: true });
});

/** A record as the foreign clients tell it; bytes are base64. */
interface Read {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

type Reader = 'read_by_kafka_python.py' | 'read_by_confluent.py';

/** How a reader signs in, as its environment. */
const signIns = {
  'a Globus access token': async () => ({
    BOOTSTRAP: stack.bootstrap('OAUTH'),
    REFRESH_TOKEN: (await stack.globus.signIn()).refreshToken,
    GLOBUS_SDK_SERVICE_URL_AUTH: `${stack.globus.issuer}/`,
  }),
  'SCRAM-SHA-512': async () => ({
    BOOTSTRAP: stack.bootstrap('SCRAM'),
    SCRAM_USERNAME: stack.scramUser.username,
    SCRAM_PASSWORD: stack.scramUser.password,
  }),
};

async function readIn(reader: Reader, topic: string, signIn: keyof typeof signIns) {
  const signedIn = await signIns[signIn]();
  const env = { CA_FILE: stack.caFile, PYTHONDONTWRITEBYTECODE: '1', ...signedIn };
  const script = `test/integration/apps/python/${reader}`;
  const { stdout } = await runApp(script, [topic, String(2 * count)], env, python);
  const records: Read[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return records;
}

interface JavaRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** Texts, bytes that are no text, empty ones, and none at all. */
function javaRecords(): JavaRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const text = Buffer.from(`観測所 ${i} 😀 \u0000\r\n\u001b[31m "quoted" \\`);
    const values = [text, randomBytes(i), Buffer.alloc(0), null];
    const keys = [Buffer.from(`ключ ${i}`), randomBytes(16), Buffer.alloc(0), null, null];
    return { key: keys[i % keys.length] ?? null, value: values[i % values.length] ?? null };
  });
}

/** By Kafka's own Java producer, with the file as it stands and the flag of the JVM that it names. */
async function writeInJava(topic: string, records: readonly JavaRecord[]): Promise<void> {
  const [flag = ''] = /-Dorg\.apache\.kafka\.\S+/.exec(await readFile(properties, 'utf8')) ?? [];
  const fields = records.flatMap(({ key, value }, i) => [key, value, Buffer.from(`Java ${i}`)]);
  const input = Buffer.concat(
    fields.flatMap((field) => [lengthOf(field), field ?? Buffer.alloc(0)]),
  );
  await runKafkaTool('WriteRecords', [properties, topic], { input, javaOptions: [flag] });
}

function lengthOf(field: Buffer | null): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(field?.length ?? -1);
  return length;
}

/** Reads while both write; answers when all is compared. */
async function expectAllOnce(
  reader: Reader,
  signIn: keyof typeof signIns,
  options: TransportOptions,
) {
  const topic = await newTopic('interop', 3);
  const java = javaRecords();
  const pinoOptions = { topic, sourceHeaders: true, headers: { from: 'Pino' }, ...options };
  const [pino, , records] = await Promise.all([
    flood({ front: 'pino', count, options: pinoOptions, env: await signedInEnv() }),
    writeInJava(topic, java),
    readIn(reader, topic, signIn),
  ]);
  expect(pino.stats).toMatchObject({ written: count, acknowledged: count });

  const places = records.map(({ partition, offset }) => `${partition}/${offset}`);
  expect(new Set(places).size).toBe(2 * count);
  expect(records).toHaveLength(2 * count);

  const ofPino = new Map<number, string>();
  const ofJava = new Map<number, Pick<Read, 'key' | 'value'>>();
  for (const { key, value, headers } of records) {
    const text = (name: string) =>
      Buffer.from(new Map(headers).get(name) ?? '', 'base64').toString();
    if (text('from') === 'Pino') {
      const bytes = Buffer.from(value ?? '', 'base64');
      ofPino.set(Number(text('source-seq')), createHash('sha256').update(bytes).digest('hex'));
    } else ofJava.set(Number(text('from').slice('Java '.length)), { key, value });
  }
  const numbers = Array.from({ length: count }, (_, i) => i);
  const digestOf = (i: number) => pino.expected.toString('hex', 32 * i, 32 * i + 32);
  expect(numbers.filter((i) => ofPino.get(i) !== digestOf(i))).toEqual([]);
  expect(numbers.map((i) => ofJava.get(i))).toEqual(
    java.map(({ key, value }) => ({
      key: key?.toString('base64') ?? null,
      value: value?.toString('base64') ?? null,
    })),
  );
}

describe('What a Pino app and a Java producer write to one topic is read byte for byte, each record once, by', () => {
  it('kafka-python with a Globus access token', async () => {
    await expectAllOnce('read_by_kafka_python.py', 'a Globus access token', {});
  });

  it('confluent-kafka by SCRAM', async () => {
    await expectAllOnce('read_by_confluent.py', 'SCRAM-SHA-512', {});
  });

  it('kafka-python by SCRAM, in gzip', async () => {
    await expectAllOnce('read_by_kafka_python.py', 'SCRAM-SHA-512', { compression: 'gzip' });
  });

  it('confluent-kafka with a Globus access token, in gzip', async () => {
    await expectAllOnce('read_by_confluent.py', 'a Globus access token', { compression: 'gzip' });
  });
});
