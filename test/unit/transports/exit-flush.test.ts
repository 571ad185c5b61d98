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
