// Logs 100 records in a run of its own, and ends in the way that is asked for: node ending.mjs WAY RUN OPTIONS
import pino from 'pino';
import winston from 'winston';

const [way, run, json] = process.argv.slice(2);
const options = JSON.parse(json);

/** Lines that the test knows beforehand: nothing of this process is in them. */
function open() {
  const transport = pino.transport({ target: 'diaspora-logger/pino', options });
  const logger = pino({ base: null, timestamp: false }, transport);
  return { transport, logger };
}

function log(logger, count = 100) {
  for (let i = 0; i < count; i += 1) logger.info({ run: Number(run), i, text: 'ä€😀' }, 'message');
}

const killSelf = () => process.kill(process.pid, 'SIGKILL');

const ways = {
  'flush, then SIGKILL': () => {
    const { logger } = open();
    log(logger);
    logger.flush(killSelf);
  },
  'transport.end(), then SIGKILL': () => {
    const { logger, transport } = open();
    log(logger);
    transport.end();
    transport.once('close', killSelf);
    // Pino's worker keeps no process alive.
    setInterval(() => {}, 60_000);
  },
  'process.exit()': () => {
    log(open().logger);
    process.exit(0);
  },
  'uncaught exception': () => {
    log(open().logger);
    throw new Error('of the app');
  },
  'natural end': () => log(open().logger),
  'one record in the first tick': () => log(open().logger, 1),
  "winston's finish, then process.exit()": async () => {
    const { DiasporaTransport } = await import('diaspora-logger/winston');
    const format = winston.format.printf(({ run, i, text }) => JSON.stringify({ run, i, text }));
    const logger = winston.createLogger({ format, transports: [new DiasporaTransport(options)] });
    log({ info: (fields, message) => logger.info({ ...fields, message }) });
    logger.once('finish', () => process.exit(0));
    logger.end();
  },
};

await ways[way]();
