import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import winston from 'winston';
import { ConfigurationError } from '../../src/errors.ts';
import DefaultTransport, {
  DiasporaTransport,
  type DiasporaTransportOptions,
} from '../../src/transports/winston.ts';
import { buildPackage, runApp, startApp } from './built-package.ts';
import { newTopic, plainOptions, recordsOf, valuesOf } from './topic-content.ts';

const app = 'test/integration/apps/winston-app.mjs';
const silent = { diagnostics: 'silent' } as const;

/** Nobody listens there. */
const nowhere: DiasporaTransportOptions = {
  bootstrapBrokers: '127.0.0.1:1',
  auth: { type: 'none' },
  tls: false,
  topic: 'logs',
  closeTimeoutMs: 200,
  ...silent,
};

beforeAll(() => buildPackage());

async function end(logger: winston.Logger): Promise<void> {
  const finished = once(logger, 'finish');
  logger.end();
  await finished;
}

describe("Winston's transport", () => {
  it('has delivered everything when the logger emits finish', async () => {
    const topic = await newTopic('winston');
    const logger = winston.createLogger({
      transports: [new DiasporaTransport(plainOptions(topic))],
    });
    for (let i = 0; i < 5_000; i += 1) logger.info('message', { i });
    await end(logger);
    const found = (await valuesOf(topic)).map((value) => JSON.parse(value));
    expect(found.map(({ i }) => i)).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
    expect(found[0]).toEqual({ i: 0, level: 'info', message: 'message' });
  });

  it('is the default export too', () => {
    expect(DefaultTransport).toBe(DiasporaTransport);
  });

  it('ships the text that a format made', async () => {
    const topic = await newTopic('winston');
    const logger = winston.createLogger({
      format: winston.format.simple(),
      transports: [new DiasporaTransport(plainOptions(topic))],
    });
    logger.warn('plain text');
    await end(logger);
    expect(await valuesOf(topic)).toEqual(['warn: plain text']);
  });

  it('ships the text of its own format', async () => {
    const topic = await newTopic('winston');
    const format = winston.format.printf(({ level, message }) => `<${level}> ${message}`);
    const logger = winston.createLogger({
      transports: [new DiasporaTransport({ ...plainOptions(topic), format })],
    });
    logger.error('text');
    await end(logger);
    expect(await valuesOf(topic)).toEqual(['<error> text']);
  });

  it('serialises what no format did, whatever it holds', async () => {
    const topic = await newTopic('winston');
    const transport = new DiasporaTransport(plainOptions(topic));
    const info: Record<string, unknown> = { level: 'info', message: 'x', big: 12n };
    info['self'] = info;
    transport.log(info);
    await transport.flush();
    expect(await valuesOf(topic)).toEqual([
      '{"level":"info","message":"x","big":"12","self":"[Circular]"}',
    ]);
    transport.close();
  });

  it("gives records keys, headers and the record's own time", async () => {
    const topic = await newTopic('winston');
    const logger = winston.createLogger({
      format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
      transports: [
        new DiasporaTransport({
          ...plainOptions(topic),
          keyField: 'user',
          headerFields: ['trace'],
        }),
      ],
    });
    logger.info('message', { user: 'u1', trace: 7 });
    await end(logger);
    const [record] = await recordsOf(topic);
    expect(String(record?.key)).toBe('u1');
    expect(record?.headers).toEqual([['trace', Buffer.from('7')]]);
    const { timestamp } = JSON.parse(String(record?.value));
    expect(record?.timestamp).toBe(Date.parse(timestamp));
  });

  it('keeps to its level, and to silence', async () => {
    const topic = await newTopic('winston');
    const logger = winston.createLogger({
      transports: [
        new DiasporaTransport({ ...plainOptions(topic), level: 'error' }),
        new DiasporaTransport({ ...plainOptions(topic), silent: true }),
      ],
    });
    logger.info('not this');
    logger.error('this');
    await end(logger);
    expect((await valuesOf(topic)).map((value) => JSON.parse(value).message)).toEqual(['this']);
  });

  it('calls a transform with a record of its own', async () => {
    const topic = await newTopic('winston');
    const transform = fileURLToPath(new URL('./apps/renaming-transform.mjs', import.meta.url));
    const transport = new DiasporaTransport({ ...plainOptions(topic), ...silent, transform });
    const logger = winston.createLogger({ transports: [transport] });
    for (let i = 0; i < 5; i += 1) logger.info({ message: 'x', i, msg: 'm' });
    await end(logger);
    expect(await valuesOf(topic)).toEqual([
      '{"number":0,"message":"m"}',
      'text 3',
      '{"number":4,"message":"m"}',
    ]);
    expect(transport.stats()).toMatchObject({ filtered: 1, dropped: 1, acknowledged: 3 });
  });

  it('throws for a wrong option, at once', () => {
    expect(() => new DiasporaTransport({ ...nowhere, lingerMs: -1 })).toThrow(ConfigurationError);
  });

  it('never holds up the transports beside it', async () => {
    const lines: string[] = [];
    const beside = new winston.transports.Stream({
      stream: new Writable({
        write(chunk, _encoding, done) {
          lines.push(String(chunk));
          done();
        },
      }),
    });
    const logger = winston.createLogger({ transports: [new DiasporaTransport(nowhere), beside] });
    for (let i = 0; i < 1_000; i += 1) logger.info(String(i));
    await end(logger);
    expect(lines).toHaveLength(1_000);
  });

  it('counts what comes after its end as dropped, and emits no error', async () => {
    const transport = new DiasporaTransport(nowhere);
    const finished = once(transport, 'finish');
    transport.end();
    await finished;
    transport.write({ level: 'info', message: 'late', [Symbol.for('level')]: 'info' });
    expect(transport.stats()).toMatchObject({ written: 1, dropped: 1 });
  });

  it.each([
    ['removed', (logger: winston.Logger, transport: DiasporaTransport) => logger.remove(transport)],
    ['closed with its logger', (logger: winston.Logger) => logger.close()],
  ])('delivers what it has when it is %s', async (_how, act) => {
    const topic = await newTopic('winston');
    const transport = new DiasporaTransport(plainOptions(topic));
    const logger = winston.createLogger({ transports: [transport] });
    logger.info('message');
    const finished = once(transport, 'finish');
    act(logger, transport);
    await finished;
    expect(await valuesOf(topic)).toHaveLength(1);
  });

  it('ends a process when everything is delivered', async () => {
    const topic = await newTopic('winston');
    for (const way of ['ends by itself', 'waits for finish']) {
      const args = [way, '500', JSON.stringify(plainOptions(topic))];
      expect((await runApp(app, args, {})).stderr).toBe('');
    }
    expect(await valuesOf(topic)).toHaveLength(1_000);
  });

  it.each(['throws', 'rejects'])('delivers the last words of an app that %s', async (way) => {
    const topic = await newTopic('winston');
    const args = [way, '10', JSON.stringify(plainOptions(topic))];
    expect(await startApp(app, args, {}).ended).toMatchObject({ code: 1 });
    const values = await valuesOf(topic);
    expect(values).toHaveLength(11);
    expect(values.at(-1)).toContain('of the app');
  });
});

describe('The suite for all Winston transports', () => {
  const made: DiasporaTransport[] = [];
  const atEnd: Body[] = [];
  let topic: string;

  class Watched extends DiasporaTransport {
    constructor(options: DiasporaTransportOptions) {
      super(options);
      made.push(this);
    }
  }

  beforeAll(async () => {
    topic = await newTopic('winston');
  });

  afterAll(async () => {
    for (const body of atEnd) await called(body);
    await Promise.all(made.map((transport) => transport.flush()));
    const values = await valuesOf(topic);
    expect(values).toEqual(Array(3).fill('{"level":"debug","message":"foo"}'));
    for (const transport of made) transport.close();
  });

  // It is written for Mocha, which has its functions as globals and calls back.
  type Body = (done: (error?: unknown) => void) => unknown;
  Object.assign(globalThis, {
    describe,
    beforeEach: (body: Body) => beforeEach(() => called(body)),
    afterEach: (body: Body) => afterEach(() => called(body)),
    after: (body: Body) => atEnd.push(body),
    it: (name: string, body: Body) => it(name, () => called(body)),
  });
  async function called(body: Body): Promise<void> {
    if (body.length === 0) await body(() => undefined);
    else {
      await new Promise<void>((resolve, reject) =>
        body((error) => (error ? reject(error) : resolve())),
      );
    }
  }

  createRequire(import.meta.url)('abstract-winston-transport')({
    name: 'DiasporaTransport',
    Transport: Watched,
    construct: () => plainOptions(topic),
  });
});
