import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import kafkajs, { type KafkaConfig } from 'kafkajs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { auditTopic } from '../../stack/audit.ts';
import { freePorts } from '../../stack/free-ports.ts';
import { kafkaMurmur2, produceAndConsumeInJava, runKafkaTool } from '../../stack/java-tools.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { startStack } from '../../stack/stack.ts';
import type { StackClient } from '../../stack/stack-client.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';

const { Kafka, logLevel } = kafkajs;
const stack = sharedStack();

type SignIn = Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'>;

function byToken({ env }: StackClient, value: string): SignIn {
  return {
    brokers: env.DIASPORA_BOOTSTRAP.split(','),
    ssl: { ca: readFileSync(env.DIASPORA_CA_FILE) },
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value }) },
  };
}

/** Writes values to a topic's first partition with kafkajs. */
async function produce(signIn: SignIn, topic: string, values: readonly string[]): Promise<void> {
  const kafka = new Kafka({
    ...signIn,
    logLevel: logLevel.NOTHING,
    retry: { retries: 5, initialRetryTime: 50 },
  });
  const producer = kafka.producer();
  await producer.connect();
  try {
    const messages = values.map((value, index) => ({
      value,
      partition: 0,
      key: `key ${index}`,
      headers: { 'source-id': 'kafkajs', 'source-seq': String(index) },
    }));
    // A request of kafkajs is one batch a partition, which must stay below a megabyte.
    for (let from = 0; from < messages.length; from += 5000) {
      await producer.send({ topic, messages: messages.slice(from, from + 5000), acks: -1 });
    }
  } finally {
    await producer.disconnect();
  }
}

async function read(from: StackClient, topic: string): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  for await (const record of from.readTopic(topic)) records.push(record);
  return records;
}

const valuesOf = (records: readonly TopicRecord[]): unknown[] =>
  records.map(({ value }) => value?.toString());

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Runs a TypeScript file, which is killed after the test if it still runs. */
function run(file: URL, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(file), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function linesOf(child: ChildProcess): AsyncIterable<string> {
  if (!child.stdout) throw new Error('The child has no stdout.');
  return createInterface({ input: child.stdout });
}

describe('the shared stack', () => {
  it('takes a token of a real sign-in, and gives its owner what was granted', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic, { partitions: 2 });
    const { accessToken } = await stack.globus.signIn();
    await produce(byToken(stack, accessToken), topic, ['one', 'two']);
    const records = await read(stack, topic);
    expect(valuesOf(records)).toEqual(['one', 'two']);
    expect(records[1]).toMatchObject({ partition: 0, offset: 1n, key: Buffer.from('key 1') });
    expect(records[1]?.headers).toEqual([
      ['source-id', Buffer.from('kafkajs')],
      ['source-seq', Buffer.from('1')],
    ]);
    expect(await stack.endOffsets(topic)).toEqual(
      new Map([
        [0, 2n],
        [1, 0n],
      ]),
    );
  });

  it('refuses a token that Globus does not know, and one that was revoked', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic);
    const { accessToken } = await stack.globus.signIn();
    await stack.globus.revoke(accessToken);
    for (const token of ['made-up', accessToken]) {
      await expect(produce(byToken(stack, token), topic, ['x'])).rejects.toThrow(/SASL|authenti/i);
    }
    expect(await read(stack, topic)).toEqual([]);
  });

  it("keeps a user out of others' topics until the right is granted, and again when it is revoked", async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic, { owner: 'somebody@example.org' });
    const { accessToken, username } = await stack.globus.signIn('visitor@example.org');
    const visitor = byToken(stack, accessToken);
    await expect(produce(visitor, topic, ['early'])).rejects.toThrow(/not authorized/i);
    await stack.grant(username, { topic }, ['WRITE', 'DESCRIBE']);
    await produce(visitor, topic, ['allowed']);
    await stack.revoke(username, { topic }, ['WRITE', 'DESCRIBE']);
    await expect(produce(visitor, topic, ['late'])).rejects.toThrow(/not authorized/i);
    expect(valuesOf(await read(stack, topic))).toEqual(['allowed']);
  });

  it.each(['scram-sha-256', 'scram-sha-512'])('takes a password by %s', async (mechanism) => {
    const topic = uniqueTopic();
    const { scramUser } = stack;
    await stack.createTopic(topic, { owner: scramUser.username });
    const signIn: SignIn = {
      brokers: [stack.bootstrap('SCRAM')],
      ssl: { ca: readFileSync(stack.caFile) },
      sasl:
        mechanism === 'scram-sha-256'
          ? { mechanism: 'scram-sha-256', ...scramUser }
          : { mechanism: 'scram-sha-512', ...scramUser },
    };
    await produce(signIn, topic, ['by password']);
    expect(valuesOf(await read(stack, topic))).toEqual(['by password']);
  });

  it('takes a client certificate out of a PKCS12 file, and refuses a client without one', async () => {
    const topic = uniqueTopic();
    const { pfxFile, passphrase, principal } = stack.clientCertificate;
    await stack.createTopic(topic, { owner: principal });
    const brokers = [stack.bootstrap('MTLS')];
    const ca = readFileSync(stack.caFile);
    const withCertificate = { ca, pfx: readFileSync(pfxFile), passphrase };
    await produce({ brokers, ssl: withCertificate }, topic, ['by certificate']);
    await expect(produce({ brokers, ssl: { ca } }, topic, ['x'])).rejects.toThrow();
    expect(valuesOf(await read(stack, topic))).toEqual(['by certificate']);
  });

  it('changes topics: more partitions, other settings, gone', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic, { config: { 'max.message.bytes': '100000' } });
    await stack.addPartitions(topic, 3);
    expect((await stack.endOffsets(topic)).size).toBe(3);
    const { accessToken } = await stack.globus.signIn();
    const big = 'x'.repeat(900 * 1024);
    await expect(produce(byToken(stack, accessToken), topic, [big])).rejects.toThrow(/large/i);
    await stack.alterTopicConfig(topic, { 'max.message.bytes': '1048588' });
    await vi.waitFor(() => produce(byToken(stack, accessToken), topic, [big]), 10_000);
    const [record] = await read(stack, topic);
    expect(record?.value?.length).toBe(big.length);
    await stack.deleteTopic(topic);
    expect(await stack.topics()).not.toContain(topic);
  });

  it('reads many records, and the audit finds each once', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic);
    const { accessToken } = await stack.globus.signIn();
    const values = Array.from({ length: 20_000 }, (_, index) => `record ${index}`);
    await produce(byToken(stack, accessToken), topic, values);
    const audit = await auditTopic(stack.readTopic(topic), new Map([['kafkajs', values.length]]));
    expect(audit).toMatchObject({ records: 20_000, lost: [], repeated: [], reordered: [] });
  });

  it('waits for as many records as are asked for, or until it is told to stop', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic);
    const { accessToken } = await stack.globus.signIn();
    const reading = (async () => {
      const found: unknown[] = [];
      for await (const { value } of stack.readTopic(topic, { count: 2 })) found.push(String(value));
      return found;
    })();
    await produce(byToken(stack, accessToken), topic, ['a', 'b', 'c']);
    expect(await reading).toEqual(['a', 'b']);
    const endless = stack.readTopic(topic, { count: 4, signal: AbortSignal.timeout(1500) });
    await expect(auditTopic(endless)).rejects.toThrow(/timeout/i);
  });

  it("runs Kafka's own tools on its data and its listeners", async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic);
    const { accessToken } = await stack.globus.signIn();
    await produce(byToken(stack, accessToken), topic, ['for the tools']);
    const segment = join(
      stack.directory,
      `kafka/broker-1/data/${topic}-0/00000000000000000000.log`,
    );
    const dump = await runKafkaTool('org.apache.kafka.tools.DumpLogSegments', [
      '--print-data-log',
      '--files',
      segment,
    ]);
    expect(dump.stdout).toMatch(/payload: for the tools/);
    const consumed = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...['--bootstrap-server', stack.bootstrap('INTERNAL')],
      ...['--topic', topic, '--from-beginning', '--max-messages', '1'],
    ]);
    expect(consumed.stdout).toBe('for the tools\n');
    await expect(
      runKafkaTool('org.apache.kafka.tools.DumpLogSegments', ['--files', '/none.log']),
    ).rejects.toThrow(/none\.log/);
  });

  it("answers Kafka's own hash of keys", async () => {
    // The vectors of UtilsTest.testMurmur2 in Kafka's source.
    const [number, word, empty] = await kafkaMurmur2(
      ['21', 'foobar', ''].map((key) => Buffer.from(key)),
    );
    expect(number?.hash).toBe(-973932308);
    expect(word).toEqual({ hash: -790332482, positive: -790332482 & 0x7fffffff });
    expect(empty?.hash).toBe(275646681);
  });

  it('lets a Java client in by a properties file with a refresh token', async () => {
    const topic = uniqueTopic();
    await stack.createTopic(topic);
    const { refreshToken } = await stack.globus.signIn();
    const directory = await mkdtemp(join(tmpdir(), 'java-properties-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const file = join(directory, 'client.properties');
    const options = [
      ['oauth.token.endpoint.uri', stack.globus.tokenUrl],
      ['oauth.client.id', 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe'],
      ['oauth.refresh.token', refreshToken],
      ['oauth.access.token.is.jwt', 'false'],
    ];
    await writeFile(
      file,
      [
        `bootstrap.servers=${stack.bootstrap('OAUTH')}`,
        'security.protocol=SASL_SSL',
        'ssl.truststore.type=PEM',
        `ssl.truststore.location=${stack.caFile}`,
        'sasl.mechanism=OAUTHBEARER',
        'sasl.login.callback.handler.class=io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler',
        `sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required ${options.map(([name, value]) => `${name}="${value}"`).join(' ')} ;`,
      ].join('\n'),
    );
    const javaOptions = [
      `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${stack.globus.tokenUrl}`,
    ];
    await produceAndConsumeInJava(file, topic, { count: 3, javaOptions });
    expect(await read(stack, topic)).toHaveLength(3);
  });
});

describe('a stack of its own', () => {
  it('runs beside another, with its own settings and advertised addresses, and leaves nothing', async () => {
    const proxy = createServer();
    let target = 0;
    let proxied = 0;
    proxy.on('connection', (near) => {
      proxied += 1;
      const far = connect(target, '127.0.0.1');
      for (const socket of [near, far]) socket.on('error', () => {});
      near.pipe(far).pipe(near);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const bound = proxy.address();
    if (bound === null || typeof bound === 'string') throw new Error('No port.');
    const other = await startStack({
      kafkaProperties: { 'connections.max.reauth.ms': '20000' },
      advertise: (listener, _broker, address) => {
        if (listener !== 'OAUTH') return address;
        target = address.port;
        return { host: 'localhost', port: bound.port };
      },
    });
    const [broker] = other.brokers;
    if (!broker) throw new Error('No broker.');
    const { pid } = broker;
    try {
      const topic = uniqueTopic();
      await other.createTopic(topic);
      const here = await other.globus.signIn();
      await produce(byToken(other, here.accessToken), topic, ['by the proxy']);
      expect(proxied).toBeGreaterThan(0);
      expect(valuesOf(await read(other, topic))).toEqual(['by the proxy']);
      // Neither stack knows the other's tokens or topics.
      const there = await stack.globus.signIn();
      await expect(produce(byToken(other, there.accessToken), topic, ['x'])).rejects.toThrow();
      expect(await stack.topics()).not.toContain(topic);

      await broker.stop();
      expect(lives(pid)).toBe(false);
      expect(() => broker.pid).toThrow('does not run');
      await broker.start();
      expect(broker.pid).not.toBe(pid);
      expect(valuesOf(await read(other, topic))).toEqual(['by the proxy']);
    } finally {
      await other.stop();
    }
    expect(broker.running).toBe(false);
    expect(existsSync(other.directory)).toBe(false);
    await expect(fetch(other.env.DIASPORA_ISSUER)).rejects.toThrow();
  });

  it('replicates over three brokers, and goes on without one', async () => {
    await using cluster = await startStack({ brokers: 3 });
    const topic = uniqueTopic();
    await cluster.createTopic(topic);
    const { accessToken } = await cluster.globus.signIn();
    const signIn = byToken(cluster, accessToken);
    await produce(signIn, topic, ['with three']);
    const leaderId = (await cluster.leaders(topic)).get(0);
    const leader = cluster.brokers.find(({ id }) => id === leaderId);
    expect(leader?.running).toBe(true);
    await leader?.kill();
    await vi.waitFor(() => produce(signIn, topic, ['with two']), 60_000);
    await leader?.start();
    expect(valuesOf(await read(cluster, topic))).toContain('with two');
  });

  it.each([
    { broker: 'running', args: [] },
    { broker: 'frozen', args: ['--freeze'] },
  ])('takes its $broker broker along when its process is killed', async ({ args }) => {
    const child = run(new URL('stack-in-child.ts', import.meta.url), ...args);
    let place: { pid: number; directory: string } | undefined;
    for await (const line of linesOf(child)) {
      place = JSON.parse(line);
      break;
    }
    if (!place) throw new Error('The child told nothing.');
    const { pid, directory } = place;
    onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
    expect(lives(pid)).toBe(true);
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(lives(pid)).toBe(false), 10_000);
  });
});

describe('npm run stack', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints what to export, and is gone after %s',
    async (signal) => {
      const [port] = await freePorts(1);
      const wanted = ['--topic', 'beamline:2', '--service-port', String(port)];
      const child = run(new URL('../../stack/main.ts', import.meta.url), ...wanted);
      const env = new Map<string, string>();
      for await (const line of linesOf(child)) {
        const [, name = '', value = ''] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
        env.set(name, value);
        if (env.size === 7) break;
      }
      expect([...env.keys()].sort()).toEqual([
        'DIASPORA_BOOTSTRAP',
        'DIASPORA_CA_FILE',
        'DIASPORA_ISSUER',
        'DIASPORA_REFRESH',
        'DIASPORA_SERVICE_URL',
        'DIASPORA_SUBJECT',
        'DIASPORA_TOPIC',
      ]);
      const serviceUrl = `http://127.0.0.1:${port}`;
      expect(env.get('DIASPORA_SERVICE_URL')).toBe(serviceUrl);
      expect((await fetch(`${serviceUrl}/acl`)).status).toBe(200);
      const directory = dirname(env.get('DIASPORA_CA_FILE') ?? '');
      expect(existsSync(directory)).toBe(true);
      child.kill(signal);
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
      expect(existsSync(directory)).toBe(false);
      await expect(fetch(`${serviceUrl}/acl`)).rejects.toThrow('fetch failed');
    },
  );

  it('says that the port for the topic service is taken, and ends', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const { port } = { port: 0, ...Object(taken.address()) };
    const child = run(
      new URL('../../stack/main.ts', import.meta.url),
      '--service-port',
      String(port),
    );
    const said = child.stderr ? text(child.stderr) : Promise.resolve('');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(await said).toMatch(
      /^Starting Kafka\nlisten EADDRINUSE: address already in use 127\.0\.0\.1:\d+: choose another port with --service-port\.\n$/,
    );
  });

  it.each([
    {
      fault: 'a wrong argument',
      args: ['--brokers', '2'],
      env: process.env,
      line: '--brokers takes 1 or 3, not 2.',
    },
    {
      fault: 'a port that is none',
      args: ['--service-port', 'http'],
      env: process.env,
      line: '--service-port takes a port from 1 to 65535, not http.',
    },
    {
      fault: 'a missing Java',
      args: [],
      env: { PATH: '/nowhere' },
      line: 'The local Kafka needs a JDK, which was not found. Debian',
    },
  ])('says in one line what to do about $fault', async ({ args, env, line }) => {
    const main = fileURLToPath(new URL('../../stack/main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], { env });
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(code).toBe(1);
    expect(said.startsWith(line)).toBe(true);
    expect(said).not.toMatch(/\bat .+:\d+:\d+/);
  });
});
