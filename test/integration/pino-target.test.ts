/** What Pino's own tests ask of a target, asked of this one. */
import { once } from 'node:events';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pino from 'pino';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { buildPackage, runApp, targetFile } from './built-package.ts';
import { messagesOf, newTopic, plainOptions, recordsOf, valuesOf } from './topic-content.ts';

const target = targetFile('diaspora-logger/pino');

beforeAll(() => buildPackage());

async function end(transport: ReturnType<typeof pino.transport>): Promise<void> {
  transport.end();
  await once(transport, 'close');
}

describe("As a target of Pino's, the transport", () => {
  it('is found by path and by file URL', async () => {
    const topic = await newTopic('target');
    for (const name of [target, pathToFileURL(target).href]) {
      const transport = pino.transport({ target: name, options: plainOptions(topic) });
      pino(transport).info('message');
      await end(transport);
    }
    expect(await messagesOf(topic)).toEqual(['message', 'message']);
  });

  it('serves twice under one transport, each with its level', async () => {
    const [all, warnings] = [await newTopic('target'), await newTopic('target')];
    const transport = pino.transport<TransportOptions>({
      targets: [
        { target, level: 'info', options: plainOptions(all) },
        { target, level: 'warn', options: plainOptions(warnings) },
      ],
    });
    const logger = pino(transport);
    logger.info('one');
    logger.error('two');
    await end(transport);
    expect(await messagesOf(all)).toEqual(['one', 'two']);
    expect(await messagesOf(warnings)).toEqual(['two']);
  });

  it('takes part in dedupe', async () => {
    const [all, errors] = [await newTopic('target'), await newTopic('target')];
    const transport = pino.transport<TransportOptions>({
      dedupe: true,
      targets: [
        { target, level: 'info', options: plainOptions(all) },
        { target, level: 'error', options: plainOptions(errors) },
      ],
    });
    const logger = pino(transport);
    logger.info('one');
    logger.error('two');
    await end(transport);
    expect(await messagesOf(all)).toEqual(['one']);
    expect(await messagesOf(errors)).toEqual(['two']);
  });

  it("knows the app's own levels", async () => {
    const topic = await newTopic('target');
    const levels = { notice: 35 };
    const transport = pino.transport<TransportOptions>({
      levels,
      targets: [{ target, level: 'notice', options: plainOptions(topic) }],
    });
    const logger = pino({ customLevels: levels, level: 'info' }, transport);
    logger.info('one');
    logger.notice('two');
    await end(transport);
    expect((await valuesOf(topic)).map((value) => JSON.parse(value).level)).toEqual([35]);
  });

  it('ends a pipeline among targets', async () => {
    const [piped, plain] = [await newTopic('target'), await newTopic('target')];
    const first = fileURLToPath(new URL('./apps/marking-transform.mjs', import.meta.url));
    const transport = pino.transport({
      targets: [
        { target, options: plainOptions(plain) },
        { pipeline: [{ target: first }, { target, options: plainOptions(piped) }] },
      ],
    });
    pino(transport).info('message');
    await end(transport);
    expect(JSON.parse((await valuesOf(piped))[0] ?? '').marked).toBe(true);
    expect(JSON.parse((await valuesOf(plain))[0] ?? '').marked).toBeUndefined();
  });

  it('is ended by its app where Pino is told not to', async () => {
    const topic = await newTopic('target');
    const transport = pino.transport({
      target,
      options: plainOptions(topic),
      worker: { autoEnd: false },
    });
    pino(transport).info('message');
    await end(transport);
    expect(await messagesOf(topic)).toEqual(['message']);
  });

  it('takes level labels and ISO times', async () => {
    const topic = await newTopic('target');
    const transport = pino.transport({ target, options: plainOptions(topic) });
    const logger = pino(
      {
        formatters: { level: (label) => ({ level: label }) },
        timestamp: pino.stdTimeFunctions.isoTime,
      },
      transport,
    );
    logger.info('message');
    await end(transport);
    const [record] = await recordsOf(topic);
    const { level, time } = JSON.parse(String(record?.value));
    expect(level).toBe('info');
    expect(record?.timestamp).toBe(Date.parse(time));
  });

  it('delivers what is logged when it is ready, right before the end of the process', async () => {
    const topic = await newTopic('target');
    const args = [JSON.stringify(plainOptions(topic))];
    await runApp('test/integration/apps/ready-app.mjs', args, {});
    expect(await messagesOf(topic)).toEqual(['message']);
  });

  it('can be opened while modules are preloaded', async () => {
    const topic = await newTopic('target');
    const preload = new URL('./apps/preload.mjs', import.meta.url).href;
    await runApp('test/integration/apps/preloaded-app.mjs', [], {
      NODE_OPTIONS: `--import=${preload}`,
      TEST_OPTIONS: JSON.stringify(plainOptions(topic)),
    });
    expect(await messagesOf(topic)).toEqual(['message']);
  });

  it('delivers a flood, with lines larger than a batch among it', async () => {
    const topic = await newTopic('target');
    const total = 100_000;
    const transport = pino.transport({ target, options: plainOptions(topic) });
    const logger = pino(transport);
    for (let i = 0; i < total; i += 1)
      logger.info({ i, pad: i % 20_000 ? '' : 'ä'.repeat(300_000) });
    await end(transport);
    const found = (await valuesOf(topic)).map((value) => JSON.parse(value).i);
    expect(found).toHaveLength(total);
    expect(found.every((value, index) => value === index)).toBe(true);
  });
});
