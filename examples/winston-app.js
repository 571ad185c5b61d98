// An app that logs with Winston.
//
//   node examples/winston-app.js TOPIC
import { once } from 'node:events';
import { DiasporaTransport } from 'diaspora-logger/winston';
import winston from 'winston';

const topic = process.argv[2] ?? process.env.DIASPORA_TOPIC;
const logger = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
  transports: [
    new winston.transports.Console(),
    new DiasporaTransport({ ...(topic && { topic }), headerFields: ['service'] }),
  ],
});

logger.info('started', { service: 'billing' });
logger.warn('an invoice has no address', { service: 'billing', invoice: 4711 });

// Winston runs in the app's own thread: before process.exit(), wait for 'finish', which comes when
// everything is delivered.
const finished = once(logger, 'finish');
logger.end();
await finished;
