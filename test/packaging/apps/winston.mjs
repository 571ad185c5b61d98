// ES modules: Winston, and Pino in the app's own thread.
import { once } from 'node:events';
import diaspora from 'diaspora-logger/pino';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';

const topic = process.argv[2];

const logger = winston.createLogger({
  format: winston.format.json(),
  transports: [new DiasporaTransport({ topic })],
});
logger.info('winston');
logger.end();
await once(logger, 'finish');

const stream = diaspora({ topic });
pino({ base: null, timestamp: false }, stream).info('in process');
stream.end();
await once(stream, 'close');
