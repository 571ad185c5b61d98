import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { type Passed, PrintedOutput } from '../../../../src/cli/tail/printed-output.ts';

const never = new AbortController().signal;

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
    const output = new PrintedOutput(stream, never);
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
    expect(await output.finish()).toBe(true);
  });

  it('waits while more is written than is taken', async () => {
    const stream = new Stubborn();
    const done = new Done();
    const output = new PrintedOutput(stream, never);
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
    const output = new PrintedOutput(stream, never);
    void output.write('a', done.at(0, 1));
    void output.write('b', done.at(0, 2));
    await stream.take();
    await stream.take(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(output.gone.aborted).toBe(true);
    expect(output.hadEnough).toBe(true);
    await output.write('c', done.at(0, 3));
    output.skip(done.at(0, 4));
    expect(done.offsets).toEqual([[0, 1]]);
    expect(await output.finish()).toBe(false);
  });

  it('waits at the end for a reader that is slow, until everything is taken', async () => {
    const stream = new Stubborn();
    const output = new PrintedOutput(stream, never);
    void output.write('a', new Done().at(0, 1));
    vi.useFakeTimers();
    let taken: boolean | null = null;
    const finished = output.finish().then((isTaken) => {
      taken = isTaken;
    });
    await vi.advanceTimersByTimeAsync(600_000);
    vi.useRealTimers();
    expect(taken).toBe(null);
    await stream.take();
    await finished;
    expect(taken).toBe(true);
  });

  it('gives up on a pipe that nobody reads once there is a hurry, in the middle of it too', async () => {
    const reader = spawn('sleep', ['100'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const hurry = new AbortController();
    const done = new Done();
    const output = new PrintedOutput(reader.stdin, hurry.signal);
    const written = output.write('x'.repeat(2 ** 20), done.at(0, 1));
    hurry.abort();
    await written;
    await output.write('y', done.at(0, 2));
    expect(await output.finish()).toBe(false);
    expect(done.offsets).toEqual([]);
    expect(output.gone.aborted).toBe(false);
    reader.kill();
    await once(reader, 'close');
  });

  it('remembers little, however many records are skipped behind one write', async () => {
    const stream = new PassThrough();
    const done = new Done();
    const output = new PrintedOutput(stream, never);
    await output.write('a', done.at(0, 0));
    const before = process.memoryUsage().heapUsed;
    for (let offset = 1; offset < 300_000; offset += 1) output.skip(done.at(offset % 3, offset));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(30 * 2 ** 20);
    await output.finish();
    expect(done.offsets).toContainEqual([0, 299_997]);
  });
});
