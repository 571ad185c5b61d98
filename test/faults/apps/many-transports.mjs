// Many transports in one process, opened, used and closed in rounds: node many-transports.mjs KIND OPTIONS
// KIND is `winston`, `pino in process`, `pino` (each in a worker of its own), or `pino/file` for comparison.
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import openInProcess from 'diaspora-logger/pino';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';
import { endWithParent } from './parent.mjs';

const [kind, json] = process.argv.slice(2);
const options = JSON.parse(json);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const warnings = [];
process.on('warning', ({ name }) => warnings.push(name));

/** Of this thread, those included that keep no process alive. */
const timers = new Set();
createHook({
  init(id, type) {
    if (type === 'Timeout') timers.add(id);
  },
  destroy(id) {
    timers.delete(id);
  },
}).enable();

const kinds = {
  winston() {
    const transport = new DiasporaTransport(options);
    const logger = winston.createLogger({ transports: [transport] });
    return {
      log: (fields) => logger.info({ message: 'record', ...fields }),
      flush: () => transport.flush(),
      async close() {
        logger.end();
        await once(transport, 'finish');
      },
    };
  },
  'pino in process'() {
    const transport = openInProcess(options);
    const logger = pino(transport);
    return {
      log: (fields) => logger.info(fields),
      flush: () => new Promise((resolve) => transport.flush(resolve)),
      async close() {
        transport.end();
        await once(transport, 'close');
      },
    };
  },
  pino: () => inWorker('diaspora-logger/pino', options),
  'pino/file': () => inWorker('pino/file', { destination: '/dev/null' }),
};

function inWorker(target, itsOptions) {
  const transport = pino.transport({ target, options: itsOptions });
  const logger = pino(transport);
  return {
    log: (fields) => logger.info(fields),
    flush: () => new Promise((resolve) => logger.flush(resolve)),
    async close() {
      transport.end();
      await once(transport, 'close');
    },
  };
}

function descriptors() {
  const directory = '/proc/self/fd';
  return readdirSync(directory).flatMap((name) => {
    try {
      return [readlinkSync(`${directory}/${name}`)];
    } catch {
      // That of the directory itself.
      return [];
    }
  });
}

function listeners() {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
}

function state() {
  const open = descriptors();
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    sockets: open.filter((target) => target.startsWith('socket:')).length,
    descriptors: open.length,
    timers: timers.size,
    resources: process.getActiveResourcesInfo().sort(),
    listeners: listeners(),
    heapBytes: heapUsed + external,
    rssBytes: rss,
    warnings,
  };
}

const commands = {
  /** Answers what the process has while all are open, and everything is delivered. */
  async open({ count, records }) {
    transports = Array.from({ length: count }, kinds[kind]);
    await commands.log({ records });
  },
  /** So many records through each, and answers when they are delivered. */
  async log({ records }) {
    for (let n = 0; n < records; n += 1) for (const { log } of transports) log({ n });
    await Promise.all(transports.map(({ flush }) => flush()));
  },
  async close() {
    await Promise.all(transports.map(({ close }) => close()));
    transports = [];
  },
  /** What is left once the loop has turned and garbage is collected. */
  async state() {
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
    }
  },
};

let transports = [];
endWithParent();
process.on('message', async ({ id, command, argument }) => {
  await commands[command](argument);
  process.send({ id, ...state() });
});
process.send({ id: 0, ...state() });
