import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { uniqueTopic } from '../shared-stack.ts';
import { buildPackage, runApp, startApp } from './built-package.ts';
import { messagesOf, newTopic, recordsOf, signedInEnv, valuesOf } from './topic-content.ts';

let env: Record<string, string>;

beforeAll(async () => {
  await buildPackage();
  env = await signedInEnv();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

describe('The example', () => {
  it('producer.js sends one after the other, and many at once; consumer.js reads them', async () => {
    const topic = await newTopic('examples', 3);
    const { stdout } = await runApp('examples/producer.js', [topic], env);
    expect(stdout).toContain('stored 103 records in all');
    const values = (await valuesOf(topic)).map((value) => JSON.parse(value).message);
    expect(values).toHaveLength(103);
    expect(values).toContain('synchronous message 3');
    expect(values).toContain('asynchronous message 100');
    const groupId = uniqueTopic('group');
    const read = await runApp('examples/consumer.js', [topic, groupId], env);
    expect(read.stdout).toContain('reading 3 partitions');
    expect(read.stdout.match(/synchronous message/g)).toHaveLength(103);
    const again = await runApp('examples/consumer.js', [topic, groupId], env);
    expect(again.stdout).not.toContain('synchronous message');
  });

  it('producer.js says how it is used', async () => {
    const end = await startApp('examples/producer.js', [], env).ended;
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('Usage: node examples/producer.js TOPIC');
  });

  it('index.js exports both for other programs', async () => {
    const examples: object = await import(import.meta.resolve('diaspora-logger/examples'));
    expect(Object.keys(examples).sort()).toEqual(['runConsumerExample', 'runProducerExample']);
    const required: object = createRequire(import.meta.url)('diaspora-logger/examples');
    expect(Object.keys(required).sort()).toEqual(['runConsumerExample', 'runProducerExample']);
  });

  it('producer.js and consumer.js end with what went wrong, and not with 0', async () => {
    const nowhere = { ...env, DIASPORA_BOOTSTRAP: 'no port' };
    for (const [file, ...args] of [
      ['examples/producer.js', 'a-topic'],
      ['examples/consumer.js', 'a-topic', 'a-group'],
    ] as const) {
      const { code, stderr } = await startApp(file, args, nowhere).ended;
      expect(code).toBe(1);
      expect(stderr).toContain('ConfigurationError');
    }
  });

  it('pino-app.js', async () => {
    const topic = await newTopic('examples');
    await runApp('examples/pino-app.js', [topic], env);
    expect(await messagesOf(topic)).toEqual(['started', 'too warm', 'the pump does not answer']);
  });

  it('pino-targets.js', async () => {
    const topic = await newTopic('examples');
    const { stdout } = await runApp('examples/pino-targets.js', [topic], env);
    expect(stdout).toContain('only on the console');
    expect(await messagesOf(topic)).toEqual(['on both']);
    expect(String((await recordsOf(topic))[0]?.key)).toBe('kitchen');
  });

  it('winston-app.js', async () => {
    const topic = await newTopic('examples');
    await runApp('examples/winston-app.js', [topic], env);
    const records = await recordsOf(topic);
    expect(records.map(({ value }) => JSON.parse(String(value)).message)).toEqual([
      'started',
      'an invoice has no address',
    ]);
    expect(records[0]?.headers).toEqual([['service', Buffer.from('billing')]]);
  });

  it('commonjs-app.cjs', async () => {
    const topic = await newTopic('examples');
    const { stderr } = await runApp('examples/commonjs-app.cjs', [topic], env);
    expect(stderr).not.toContain('Error');
    const values = await valuesOf(topic);
    expect(values).toHaveLength(2);
    expect(values.join()).toContain('from CommonJS, by Pino');
    expect(values.join()).toContain('from CommonJS, directly');
  });

  it('fastify-app.js logs its requests, and all of them until it is stopped', async () => {
    const topic = await newTopic('examples');
    const port = await freePort();
    const app = startApp('examples/fastify-app.js', [topic, String(port)], env);
    await app.said('listening');
    for (let i = 0; i < 5; i += 1) await (await fetch(`http://127.0.0.1:${port}/`)).json();
    app.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: 0 });
    const records = await recordsOf(topic);
    const ofRequests = records.filter(({ key }) => key !== null);
    expect(ofRequests.map(({ value }) => JSON.parse(String(value)).msg)).toEqual(
      Array.from({ length: 5 }, () => ['incoming request', 'measured', 'request completed']).flat(),
    );
  });

  it('sigterm-app.js delivers everything up to its last word', async () => {
    const topic = await newTopic('examples');
    const app = startApp('examples/sigterm-app.js', [topic], env);
    await app.said('running');
    app.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: 0, signal: null });
    const messages = await messagesOf(topic);
    expect(messages.at(-1)).toBe('stopping');
  });
});
