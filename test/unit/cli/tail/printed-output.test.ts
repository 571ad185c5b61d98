import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Passed, PrintedOutput } from '../../../../src/cli/tail/printed-output.ts';

/** What is done last of each partition. */
class Done {
  readonly #offsets = new Map<number, number>();

  at(partition: number, offset: number): Passed {
    return { partition, done: () => void this.#offsets.set(partition, offset) };
  }

  get offsets(): [number, number][] {
    return [...this.#offsets];
  }
}

/** Takes each write when it is told to. */
class Stubborn extends Writable {
  #take: ((error?: Error) => void)[] = [];

  constructor() {
    super({ highWaterMark: 4 });
  }

  override _write(_chunk: unknown, _encoding: string, done: (error?: Error | null) => void): void {
    this.#take.push(done);
  }

  async take(error?: Error): Promise<void> {
    this.#take.shift()?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('printed output', () => {
  it('counts as accepted only what the system has taken, and skipped records once all before them are', async () => {
    const stream = new Stubborn();
    const done = new Done();
    const output = new PrintedOutput(stream);
    output.skip(done.at(0, 1));
    expect(done.offsets).toEqual([[0, 1]]);
    void output.write('a', done.at(0, 2));
    output.skip(done.at(1, 7));
    void output.write('b', done.at(1, 8));
    output.skip(done.at(0, 3));
    expect(done.offsets).toEqual([[0, 1]]);
    await stream.take();
    expect(done.offsets).toEqual([
      [0, 2],
      [1, 7],
    ]);
    await stream.take();
    expect(done.offsets).toEqual([
      [0, 3],
      [1, 8],
    ]);
    expect(await output.finish(10)).toBe(true);
  });

  it('waits while more is written than is taken', async () => {
    const stream = new Stubborn();
    const done = new Done();
    const output = new PrintedOutput(stream);
    let goesOn = false;
    const written = output.write('12345', done.at(0, 1)).then(() => {
      goesOn = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(goesOn).toBe(false);
    await stream.take();
    await written;
  });

  it('accepts nothing that was refused, and writes nothing more', async () => {
    const stream = new Stubborn();
    const done = new Done();
    const output = new PrintedOutput(stream);
    void output.write('a', done.at(0, 1));
    void output.write('b', done.at(0, 2));
    await stream.take();
    await stream.take(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(output.gone.aborted).toBe(true);
    expect(output.hadEnough).toBe(true);
    await output.write('c', done.at(0, 3));
    output.skip(done.at(0, 4));
    expect(done.offsets).toEqual([[0, 1]]);
    expect(await output.finish(10_000)).toBe(false);
  });

  it('gives up at the end on whoever takes nothing', async () => {
    const done = new Done();
    const output = new PrintedOutput(new Stubborn());
    void output.write('a', done.at(0, 1));
    expect(await output.finish(20)).toBe(false);
  });

  it('remembers little, however many records are skipped behind one write', async () => {
    const stream = new PassThrough();
    const done = new Done();
    const output = new PrintedOutput(stream);
    await output.write('a', done.at(0, 0));
    const before = process.memoryUsage().heapUsed;
    for (let offset = 1; offset < 300_000; offset += 1) output.skip(done.at(offset % 3, offset));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(30 * 2 ** 20);
    await output.finish(10_000);
    expect(done.offsets).toContainEqual([0, 299_997]);
  });
});
