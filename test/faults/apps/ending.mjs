// An app that logs what its parent asks for, and ends in the way that it is told: node ending.mjs LOGGER WAY OPTIONS
// LOGGER is `pino` (in Pino's worker), `pino in process`, `winston`, or `none` for comparison.
import { writeSync } from 'node:fs';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';
import { endWithParent, leaveParent } from './parent.mjs';

const [loggerName, way, json] = process.argv.slice(2);
const options = JSON.parse(json);

const loggers = {
  pino() {
    const transport = pino.transport({ target: 'diaspora-logger/pino', options });
    const logger = pino(transport);
    return {
      log: (n) => logger.info({ n }, 'record'),
      flush: () => new Promise((resolve) => logger.flush(resolve)),
      end: () => transport.end(),
    };
  },
  async 'pino in process'() {
    const { default: open } = await import('diaspora-logger/pino');
    const transport = open(options);
    const logger = pino(transport);
    return {
      log: (n) => logger.info({ n }, 'record'),
      flush: () => new Promise((resolve) => transport.flush(resolve)),
      end: () => transport.end(),
    };
  },
  winston() {
    const transport = new DiasporaTransport(options);
    const logger = winston.createLogger({ transports: [transport] });
    return {
      log: (n) => logger.info({ n, message: 'record' }),
      flush: () => transport.flush(),
      end: () => logger.end(),
    };
  },
  none: () => ({ log() {}, async flush() {}, end() {} }),
};

const ways = {
  'process.exit()': () => process.exit(3),
  'an uncaught exception': () => {
    throw new Error('of the app');
  },
  'running out of work'() {},
  'transport.end()': () => logger.end(),
  'logger.end()': () => logger.end(),
};

const logger = await loggers[loggerName]();

const commands = {
  log(count) {
    for (let n = 0; n < count; n += 1) logger.log(n);
  },
  flush: () => logger.flush(),
};

function end() {
  // Else the channel to the parent would keep the process alive.
  leaveParent();
  // Not by process.stdout, which may be late.
  writeSync(1, `ending at ${performance.timeOrigin + performance.now()}\n`);
  ways[way]();
}

endWithParent();
process.on('message', ({ id, command, argument }) => {
  // Not within a promise: an exception is the app's own.
  if (command === 'end') end();
  else answer(id, commands[command](argument));
});

async function answer(id, done) {
  await done;
  process.send({ id });
}

process.send({ id: 0 });
