/** Compiled, never run: what the types of the transports let through, and what they refuse. */
import pino from 'pino';
import winston from 'winston';
import type { TransportOptions } from '../../src/index.ts';
import diaspora from '../../src/transports/pino.ts';
import { DiasporaTransport } from '../../src/transports/winston.ts';

const options: TransportOptions = {
  topic: 'logs',
  auth: { type: 'scram', username: 'u', password: 'p' },
};

pino.transport<TransportOptions>({ target: 'diaspora-logger/pino', options });
pino.transport<TransportOptions>({
  target: 'diaspora-logger/pino',
  // @ts-expect-error no such option
  options: { topik: 'logs' },
});
pino.transport<TransportOptions>({ targets: [{ target: 'diaspora-logger/pino', options }] });
pino.transport<TransportOptions>({ pipeline: [{ target: 'diaspora-logger/pino', options }] });

pino(diaspora(options)).info('in process');
pino(diaspora()).flush((error) => void error);
// @ts-expect-error acks takes 'all' or 1
diaspora({ acks: 0 });

winston.createLogger({
  transports: [new DiasporaTransport({ ...options, level: 'warn', format: winston.format.json() })],
});
// @ts-expect-error a level of Winston is a name
new DiasporaTransport({ level: 30 });
