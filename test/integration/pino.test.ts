import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DiagnosticEvent } from '../../src/diagnostics.ts';
import type { TransportOptions } from '../../src/options.ts';
import { sharedStack } from '../shared-stack.ts';
import { buildPackage, runApp, startApp, targetFile } from './built-package.ts';
import {
  messagesOf,
  newTopic,
  plainOptions,
  recordsOf,
  signedInEnv,
  valuesOf,
} from './topic-content.ts';

const app = 'test/integration/apps/pino-app.mjs';
const count = 2_000;

beforeAll(() => buildPackage());

async function numbersOf(topic: string): Promise<number[]> {
  return (await valuesOf(topic)).map((value) => JSON.parse(value).i);
}

const numbers = (total: number): number[] => Array.from({ length: total }, (_, i) => i);

describe('An app that logs with Pino delivers every record, once and in order, when it', () => {
  it.each([
    'ends by itself',
    'exits at once',
    'has two targets',
    'has a pipeline',
    'synchronous transport',
    'in process, ended',
    'in process, flushed',
    'in process, left alone',
  ])('%s', async (way) => {
    const topic = await newTopic('pino');
    const end = await runApp(app, [way, String(count), JSON.stringify(plainOptions(topic))], {});
    expect(end.stderr).toBe('');
    expect(await numbersOf(topic)).toEqual(numbers(count));
  });

  it.each([
    ['exits with an error', 7],
    ['throws', 1],
  ])('%s', async (way, code) => {
    const topic = await newTopic('pino');
    const args = [way, String(count), JSON.stringify(plainOptions(topic))];
    expect(await startApp(app, args, {}).ended).toMatchObject({ code });
    expect(await numbersOf(topic)).toEqual(numbers(count));
  });

  it('flushes, and is killed when that is done', async () => {
    const topic = await newTopic('pino');
    const args = ['flushes and is killed', String(count), JSON.stringify(plainOptions(topic))];
    expect(await startApp(app, args, {}).ended).toMatchObject({ signal: 'SIGKILL', stderr: '' });
    expect(await numbersOf(topic)).toEqual(numbers(count));
  });

  it('is written in CommonJS', async () => {
    const topic = await newTopic('pino');
    const args = ['100', JSON.stringify(plainOptions(topic))];
    const end = await runApp('test/integration/apps/pino-app.cjs', args, {});
    expect(end.stderr).toBe('');
    expect((await numbersOf(topic)).sort((a, b) => a - b)).toEqual(numbers(100));
  });

  it('has everything from the environment, signed in by Globus', async () => {
    const topic = await newTopic('pino');
    const env = { ...(await signedInEnv()), DIASPORA_TOPIC: topic };
    await runApp(app, ['ends by itself', '100', '{}'], env);
    expect(await numbersOf(topic)).toEqual(numbers(100));
  });
});

describe("Pino's transport", () => {
  function open(options: TransportOptions) {
    return pino.transport<TransportOptions>({
      target: targetFile('diaspora-logger/pino'),
      options,
    });
  }

  async function end(transport: ReturnType<typeof open>): Promise<void> {
    transport.end();
    await once(transport, 'close');
  }

  it("ships each line exactly as Pino wrote it, at the line's own time", async () => {
    const topic = await newTopic('pino');
    const transport = open(plainOptions(topic));
    pino(transport).warn({ nested: { ü: ['€', null, 1.5] } }, 'quote " newline \n');
    const before = Date.now();
    await end(transport);
    const [record] = await recordsOf(topic);
    const line = String(record?.value);
    expect(line).toMatch(/^\{"level":40,"time":\d{13},"pid":\d+,"hostname":".*","nested":.*\}$/);
    expect(record?.timestamp).toBe(JSON.parse(line).time);
    expect(record?.timestamp).toBeLessThanOrEqual(before);
  });

  it('gives records keys and headers', async () => {
    const topic = await newTopic('pino', 3);
    const transport = open({
      ...plainOptions(topic),
      keyField: 'user',
      headers: { service: 'billing' },
      headerFields: ['trace'],
    });
    const logger = pino(transport);
    for (let i = 0; i < 30; i += 1)
      logger.info({ user: `u${i % 3}`, trace: `t${i}`, i }, 'message');
    await end(transport);
    const records = await recordsOf(topic);
    expect(records).toHaveLength(30);
    const partitionsByUser = new Map<string, Set<number>>();
    for (const { key, value, partition, headers } of records) {
      const { user, trace } = JSON.parse(String(value));
      expect(String(key)).toBe(user);
      expect(headers.map(([name, text]) => [name, String(text)])).toEqual([
        ['service', 'billing'],
        ['trace', trace],
      ]);
      partitionsByUser.set(user, (partitionsByUser.get(user) ?? new Set()).add(partition));
    }
    for (const partitions of partitionsByUser.values()) expect(partitions.size).toBe(1);
  });

  it('only ships what its level lets through', async () => {
    const topic = await newTopic('pino');
    await runApp(app, ['has levels by target', '10', JSON.stringify(plainOptions(topic))], {});
    expect(await messagesOf(topic)).toHaveLength(5);
  });

  it('calls a transform, and keeps the original of what it fails on', async () => {
    const topic = await newTopic('pino');
    const deadLetter = await mkdtemp(join(tmpdir(), 'dead-letters-'));
    const transform = fileURLToPath(new URL('./apps/renaming-transform.mjs', import.meta.url));
    const transport = open({
      ...plainOptions(topic),
      transform,
      deadLetter,
      diagnostics: 'silent',
    });
    const logger = pino(transport);
    for (let i = 0; i < 10; i += 1) logger.info({ i }, 'message');
    await end(transport);
    const values = await valuesOf(topic);
    expect(values).toHaveLength(8);
    expect(values[0]).toBe('{"number":0,"message":"message"}');
    expect(values[1]).toBe('text 3');
    const letters = await Promise.all(
      (await readdir(deadLetter)).map((name) => readFile(join(deadLetter, name), 'utf8')),
    );
    expect(letters.join('')).toContain('TRANSFORM_FAILED');
    await rm(deadLetter, { recursive: true });
  });

  it('tells the app of its diagnostics as events', async () => {
    const topic = await newTopic('pino');
    const transport = open(plainOptions(topic));
    pino(transport).info('message');
    const [event]: DiagnosticEvent[] = await once(transport, 'connected');
    expect(event).toMatchObject({ event: 'connected', code: 'CONNECTED' });
    await end(transport);
  });

  it('says which option is wrong', async () => {
    const transport = open({ ...plainOptions('logs'), acks: 1, lingerMs: -1 });
    const [error]: Error[] = await once(transport, 'error');
    expect(error?.message).toContain('Option "lingerMs" takes');
  });

  it('flushes while no broker answers, without an error, when the time is up', async () => {
    const transport = open({
      ...plainOptions('logs'),
      bootstrapBrokers: '127.0.0.1:1',
      closeTimeoutMs: 500,
      diagnostics: 'silent',
    });
    const logger = pino(transport);
    logger.info('message');
    await new Promise<void>((resolve, reject) =>
      logger.flush((error) => (error ? reject(error) : resolve())),
    );
    await end(transport);
  });

  it('signs in by SCRAM', async () => {
    const { scramUser, caFile, bootstrap } = sharedStack();
    const topic = await newTopic('pino');
    const transport = open({
      bootstrapBrokers: bootstrap('SCRAM'),
      auth: { type: 'scram', ...scramUser },
      tls: { ca: caFile },
      topic,
    });
    pino(transport).info('message');
    await end(transport);
    expect(await messagesOf(topic)).toEqual(['message']);
  });
});
