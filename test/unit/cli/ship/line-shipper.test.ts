import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineShipper } from '../../../../src/cli/ship/line-shipper.ts';
import { Room } from '../../../../src/cli/ship/room.ts';
import type { LogRecord } from '../../../../src/delivery/record.ts';
import type { ResolvedRouting } from '../../../../src/options.ts';
import { RecordBuilder } from '../../../../src/transports/record-builder.ts';

const plain: ResolvedRouting = {
  topic: 't',
  key: null,
  keyField: null,
  headers: [],
  headerFields: [],
  partition: null,
  transform: null,
};

/** A buffer that keeps what it is given until it is told that brokers have acknowledged it. */
class Buffered {
  readonly written: LogRecord[] = [];
  readonly tooLargeLevels: (number | null)[] = [];
  readonly #listeners = new Set<() => void>();
  bufferedBytes = 0;
  most = 0;

  write(record: LogRecord): void {
    this.written.push(record);
    this.bufferedBytes += record.value?.length ?? 0;
    this.most = Math.max(this.most, this.bufferedBytes);
  }

  tooLarge(level: number | null): void {
    this.tooLargeLevels.push(level);
  }

  onSettled(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  acknowledge(): void {
    this.bufferedBytes = 0;
    for (const listener of [...this.#listeners]) listener();
  }

  get values(): Buffer[] {
    return this.written.map(({ value }) => Buffer.from(value ?? ''));
  }
}

interface Shipping {
  readonly buffer: Buffered;
  readonly lines: LineShipper;
  readonly stop: AbortController;
  readonly expired: AbortController;
}

function shipping({
  bufferMaxBytes = 2 ** 20,
  routing = plain,
  patienceMs = Number.POSITIVE_INFINITY,
  canBeReadAgain = false,
} = {}): Shipping {
  const buffer = new Buffered();
  const stop = new AbortController();
  const expired = new AbortController();
  const lines = new LineShipper({
    shipper: buffer,
    builder: new RecordBuilder(routing),
    room: new Room({
      shipper: buffer,
      maxBytes: bufferMaxBytes,
      stop: stop.signal,
      expired: expired.signal,
      patienceMs,
      onImpatient: () => {
        stop.abort();
        expired.abort();
      },
    }),
    copy: null,
    maxBytes: bufferMaxBytes,
    arrivalTime: false,
    onOld: () => {},
    canBeReadAgain,
    onEnd: () => {},
  });
  return { buffer, lines, stop, expired };
}

/** Whether it is settled once everything that can go on has gone on. */
async function isPending(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol('pending');
  const later = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise, later])) === pending;
}

it('makes each line a record of the same bytes, however the input is cut', async () => {
  const line = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .filter((bytes) => !bytes.includes(10) && bytes.at(-1) !== 13);
  const input = fc.record({
    lines: fc.array(line),
    ending: fc.constantFrom('\n', '\r\n'),
    isEnded: fc.boolean(),
    chunkBytes: fc.integer({ min: 1, max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(input, async ({ lines: given, ending, isEnded, chunkBytes }) => {
      const { buffer, lines } = shipping();
      const all = given.map((bytes) => Buffer.from(bytes));
      const parts = all.flatMap((bytes) => [bytes, Buffer.from(ending)]);
      const whole = Buffer.concat(isEnded ? parts : parts.slice(0, -1));
      for (let at = 0; at < whole.length; at += chunkBytes) {
        await lines.push(whole.subarray(at, at + chunkBytes));
      }
      await lines.end();
      expect(buffer.values).toEqual(all);
    }),
  );
});

it('leaves out lines with nothing in them', async () => {
  const { buffer, lines } = shipping();
  await lines.push(Buffer.from('a\n\n\r\n\nb\n'));
  await lines.end();
  expect(buffer.values.map(String)).toEqual(['a', 'b']);
});

it('tells where the last whole line ends', async () => {
  const { lines } = shipping();
  await lines.push(Buffer.from('one\ntwo\nthr'));
  expect(lines.wholeLineBytes).toBe(8);
  await lines.push(Buffer.from('ee'));
  expect(lines.wholeLineBytes).toBe(8);
  await lines.push(Buffer.from('\n'));
  expect(lines.wholeLineBytes).toBe(14);
  await lines.end();
  expect(lines.wholeLineBytes).toBe(14);
});

it('takes keys and headers from fields, and from the text of UTF-8', async () => {
  const routing = { ...plain, keyField: 'who', headerFields: ['id'], partition: 2 };
  const { buffer, lines } = shipping({ routing });
  await lines.push(Buffer.from('{"who":"Åse","id":7}\nno JSON\n'));
  expect(buffer.written).toMatchObject([
    { key: 'Åse', headers: [['id', '7']], partition: 2 },
    { key: null, headers: [], partition: 2 },
  ]);
});

it('waits while more than half of the buffer is full, and never fills the rest', async () => {
  const { buffer, lines } = shipping({ bufferMaxBytes: 100_000 });
  const line = `${'x'.repeat(9_999)}\n`;
  const taken = lines.push(Buffer.from(line.repeat(20)));
  while (await isPending(taken)) {
    expect(buffer.bufferedBytes).toBeGreaterThan(0);
    buffer.acknowledge();
  }
  await taken;
  expect(buffer.written).toHaveLength(20);
  expect(buffer.most).toBeLessThanOrEqual(50_000);
});

it('has a line that is larger than half of the buffer wait until it is empty', async () => {
  const { buffer, lines } = shipping({ bufferMaxBytes: 100_000 });
  const taken = lines.push(Buffer.from(`small\n${'x'.repeat(80_000)}\n`));
  expect(await isPending(taken)).toBe(true);
  expect(buffer.written).toHaveLength(1);
  buffer.acknowledge();
  await taken;
  expect(buffer.written).toHaveLength(2);
});

it('drops, and counts, a line that no buffer can hold, and goes on behind it', async () => {
  const { buffer, lines } = shipping({ bufferMaxBytes: 1_000 });
  await lines.push(Buffer.from(`{"level":50,"msg":"${'x'.repeat(2_000)}`));
  await lines.push(Buffer.from('still the same line\nnext\n'));
  expect(buffer.values.map(String)).toEqual(['next']);
  expect(buffer.tooLargeLevels).toEqual([50]);
});

it('fills the whole buffer once nothing more is read, and hands over what finds no room in time', async () => {
  const { buffer, lines, stop, expired } = shipping({ bufferMaxBytes: 100_000 });
  const line = `${'x'.repeat(9_999)}\n`;
  const taken = lines.push(Buffer.from(line.repeat(30)));
  expect(await isPending(taken)).toBe(true);
  stop.abort();
  expect(await isPending(taken)).toBe(true);
  const { bufferedBytes } = buffer;
  expect(bufferedBytes).toBeGreaterThan(50_000);
  buffer.acknowledge();
  expect(await isPending(taken)).toBe(true);
  expect(buffer.most).toBeLessThanOrEqual(100_000);
  expect(buffer.written).toHaveLength((2 * bufferedBytes) / 9_999);
  expired.abort();
  await taken;
  expect(buffer.written).toHaveLength(30);
});

it('waits no longer than it is to, and hands over what it has then', async () => {
  const { buffer, lines, stop } = shipping({ bufferMaxBytes: 100_000, patienceMs: 20 });
  await lines.push(Buffer.from(`${'x'.repeat(9_999)}\n`.repeat(30)));
  expect(stop.signal.aborted).toBe(true);
  expect(buffer.written).toHaveLength(30);
});

it('hands over, once and in order, what it has in hand when it is to give up at once', async () => {
  const { buffer, lines, expired } = shipping({ bufferMaxBytes: 100_000 });
  const given = Array.from({ length: 30 }, (_, n) => `${n} ${'x'.repeat(9_999)}`);
  const taken = lines.push(Buffer.from(`${given.join('\n')}\nbegun`));
  expect(await isPending(taken)).toBe(true);
  expect(buffer.written.length).toBeLessThan(10);
  lines.giveUp();
  expect(buffer.values.map(String)).toEqual([...given, 'begun']);
  expired.abort();
  await taken;
  expect(buffer.written).toHaveLength(31);
});

it('ships a line that is cut off only where nobody can read it again', async () => {
  for (const canBeReadAgain of [false, true]) {
    for (const way of ['leave', 'giveUp'] as const) {
      const { buffer, lines } = shipping({ canBeReadAgain });
      await lines.push(Buffer.from('whole\ncut of'));
      await lines[way]();
      const whole = canBeReadAgain ? ['whole'] : ['whole', 'cut of'];
      expect(buffer.values.map(String)).toEqual(whole);
    }
  }
});
