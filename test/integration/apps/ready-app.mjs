// Logs and exits when the worker is ready: node ready-app.mjs OPTIONS
import pino from 'pino';

const options = JSON.parse(process.argv[2]);
const transport = pino.transport({ target: 'diaspora-logger/pino', options });
const logger = pino(transport);
transport.on('ready', () => {
  logger.info('message');
  process.exit(0);
});
