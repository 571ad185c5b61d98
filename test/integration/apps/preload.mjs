// For --import: makes a logger before the program itself starts.
import pino from 'pino';

const options = JSON.parse(process.env.TEST_OPTIONS);
globalThis.preloaded = pino(pino.transport({ target: 'diaspora-logger/pino', options }));
