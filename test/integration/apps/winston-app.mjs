// Logs COUNT records by Winston in the way that is asked for: node winston-app.mjs WAY COUNT OPTIONS
import { DiasporaTransport } from 'diaspora-logger/winston';
import winston from 'winston';

const [way, count, json] = process.argv.slice(2);
const options = JSON.parse(json);
const handlers = way === 'throws' ? { handleExceptions: true } : {};
const rejections = way === 'rejects' ? { handleRejections: true } : {};
const logger = winston.createLogger({
  transports: [new DiasporaTransport({ ...options, ...handlers, ...rejections })],
});
for (let i = 0; i < Number(count); i += 1) logger.info('message', { i });

const ways = {
  'ends by itself': () => undefined,
  'waits for finish': () => logger.end().once('finish', () => process.exit(0)),
  throws: () => {
    throw new Error('of the app');
  },
  rejects: () => {
    Promise.reject(new Error('of the app'));
  },
};
ways[way]();
