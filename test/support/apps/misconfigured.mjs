// Logs one record by Pino's worker, and leaves every error to Node: node misconfigured.mjs OPTIONS
import pino from 'pino';

const options = JSON.parse(process.argv[2]);
pino(pino.transport({ target: 'diaspora-logger/pino', options })).info('message');
