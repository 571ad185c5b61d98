import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import winston from 'winston';
import {
  DiasporaTransport,
  type DiasporaTransportOptions,
} from '../../../src/transports/winston.ts';

/** Nobody listens there. */
const nowhere: DiasporaTransportOptions = {
  bootstrapBrokers: '127.0.0.1:1',
  topic: 'logs',
  auth: { type: 'none' },
  tls: false,
  closeTimeoutMs: 20,
  diagnostics: 'silent',
};

describe('DiasporaTransport', () => {
  it('delivers what it has taken when it is destroyed, emits no error, and leaves no listener', async () => {
    const before = process.listenerCount('beforeExit');
    const transport = new DiasporaTransport(nowhere);
    const logger = winston.createLogger({ transports: [transport] });
    logger.info('before');
    transport.destroy(new Error('from elsewhere'));
    await once(transport, 'close');
    expect(transport.stats()).toMatchObject({ written: 1, unresolved: 1 });
    expect(process.listenerCount('beforeExit')).toBe(before);
    transport.write({ level: 'info', message: 'late' });
    expect(transport.stats()).toMatchObject({ written: 2, dropped: 1 });
  });

  it('counts after the end what it would have taken before, and nothing else', async () => {
    const transport = new DiasporaTransport({ ...nowhere, level: 'warn' });
    const logger = winston.createLogger({ level: 'silly', transports: [transport] });
    transport.close();
    await once(transport, 'finish');
    const write = (level: string, more = {}): void =>
      void transport.write({ level, message: 'late', [Symbol.for('level')]: level, ...more });
    write('info');
    write('error', { exception: true });
    transport.silent = true;
    write('error');
    transport.silent = false;
    expect(transport.stats().written).toBe(0);
    write('error');
    expect(transport.stats()).toMatchObject({ written: 1, dropped: 1 });
    logger.close();
  });

  it('takes no notice of what is no record', async () => {
    const transport = new DiasporaTransport(nowhere);
    for (const info of [null, undefined, 5, 'text']) {
      await new Promise((resolve) => transport.write(info, resolve));
    }
    expect(transport.stats().written).toBe(0);
    transport.end();
    await once(transport, 'finish');
  });
});
