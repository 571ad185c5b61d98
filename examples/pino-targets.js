// Pino with several targets: everything to the console, warnings and above to Kafka.
//
//   node examples/pino-targets.js TOPIC
import pino from 'pino';

const transport = pino.transport({
  targets: [
    { target: 'pino/file', level: 'info', options: { destination: 1 } },
    {
      target: 'diaspora-logger/pino',
      level: 'warn',
      // Records of one sensor stay in order: they share a key, and so a partition.
      options: { topic: process.argv[2] ?? process.env.DIASPORA_TOPIC, keyField: 'sensor' },
    },
  ],
});
const logger = pino(transport);

logger.info('only on the console');
logger.warn({ sensor: 'kitchen', celsius: 71.5 }, 'on both');
