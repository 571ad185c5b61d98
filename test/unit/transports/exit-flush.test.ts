import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Stats } from '../../../src/delivery/counters.ts';
import { Counters } from '../../../src/delivery/counters.ts';
import { flushBeforeExit } from '../../../src/transports/exit-flush.ts';

class CountedShipper {
  readonly calls: string[] = [];
  readonly #counters = new Counters();

  write(): void {
    this.#counters.written += 1;
  }

  /** A record that no broker takes. */
  buffer(): void {
    this.write();
    this.#counters.buffered += 1;
  }

  stats(): Stats {
    return this.#counters.stats();
  }

  async flush() {
    this.calls.push('flush');
    return { acknowledged: 0, dropped: 0, deadLettered: 0, pending: 0 };
  }

  giveUp(): void {
    this.calls.push('give up');
  }

  async close() {
    this.calls.push('close');
    return { acknowledged: 0, dropped: 0, deadLettered: 0, pending: 0 };
  }
}

const runEmpty = (): void => void process.emit('beforeExit', 0);

describe('before a process ends by itself', () => {
  it('what was written is flushed, and closed when nothing more comes', () => {
    const shipper = new CountedShipper();
    const leave = flushBeforeExit(shipper);
    shipper.write();
    runEmpty();
    shipper.write();
    runEmpty();
    runEmpty();
    leave();
    runEmpty();
    expect(shipper.calls).toEqual(['flush', 'flush', 'close']);
  });

  it('what is logged only then is flushed too', () => {
    const shipper = new CountedShipper();
    const leave = flushBeforeExit(shipper);
    runEmpty();
    shipper.write();
    runEmpty();
    runEmpty();
    leave();
    expect(shipper.calls).toEqual(['flush', 'flush', 'close']);
  });

  it('there is an end, also where something is logged each time', () => {
    const shipper = new CountedShipper();
    const leave = flushBeforeExit(shipper);
    for (let times = 0; times < 200; times += 1) {
      runEmpty();
      shipper.write();
    }
    leave();
    expect(shipper.calls.indexOf('close')).toBe(100);
  });

  it('nothing is waited for a second time where nothing could be delivered', () => {
    const shipper = new CountedShipper();
    const leave = flushBeforeExit(shipper);
    shipper.buffer();
    runEmpty();
    shipper.buffer();
    runEmpty();
    leave();
    expect(shipper.calls).toEqual(['flush', 'close']);
  });

  it('the first record of all may be logged by a listener of that event', async () => {
    const module = JSON.stringify(new URL('../../../src/transports/pino.ts', import.meta.url).href);
    const code = `
      import pino from 'pino';
      import diaspora from ${module};
      const stream = diaspora({
        bootstrapBrokers: '127.0.0.1:1', topic: 't', auth: { type: 'none' }, tls: false,
        closeTimeoutMs: 50, diagnostics: 'silent',
      });
      const logger = pino(stream);
      process.once('beforeExit', () => logger.info('bye'));
      process.on('exit', () => console.log(JSON.stringify(stream.stats())));`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toMatchObject({ written: 1, dropped: 0, unresolved: 1 });
  });

  it('what can no longer be sent is given up, and said, when the process is made to exit', () => {
    const shipper = new CountedShipper();
    const before = process.listeners('exit');
    const leave = flushBeforeExit(shipper);
    const [onExit] = process.listeners('exit').filter((listener) => !before.includes(listener));
    onExit?.(0);
    expect(shipper.calls).toEqual(['give up']);
    leave();
    expect(process.listeners('exit')).toEqual(before);
  });

  it('any number of shippers need one listener, and leave none', () => {
    const before = process.listenerCount('beforeExit');
    const leaving = Array.from({ length: 20 }, () => flushBeforeExit(new CountedShipper()));
    expect(process.listenerCount('beforeExit')).toBe(before + 1);
    for (const leave of leaving) leave();
    expect(process.listenerCount('beforeExit')).toBe(before);
  });
});
