// An app that logs with Pino.
//
//   node examples/pino-app.js TOPIC
//
// The records are sent by a worker thread. Nothing is needed at the end: Pino delivers what is left when
// the process ends by itself or by process.exit(). For signals see sigterm-app.js.
import pino from 'pino';

const logger = pino(
  pino.transport({
    target: 'diaspora-logger/pino',
    options: { topic: process.argv[2] ?? process.env.DIASPORA_TOPIC },
  }),
);

logger.info('started');
logger.warn({ celsius: 71.5, sensor: 'kitchen' }, 'too warm');
logger.error(new Error('the pump does not answer'));
