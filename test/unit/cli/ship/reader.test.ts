import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  createReadStream,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { type Input, inputsOf } from '../../../../src/cli/ship/inputs.ts';
import { InputReader, type ReaderOptions } from '../../../../src/cli/ship/reader.ts';
import { collectLines, newRoom } from './collected-lines.ts';

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'reader-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'app.log');
}

interface Reading {
  readonly lines: readonly string[];
  /** Aborts all that a signal does. */
  stop(): void;
  readonly unread: Promise<readonly string[]>;
  unreadNow(): readonly string[];
}

function read(
  inputs: readonly Input[],
  take?: (stop: () => void) => ReaderOptions['take'],
): Reading {
  const collected = collectLines();
  const [asked, readNoMore] = [new AbortController(), new AbortController()];
  const stop = (): void => {
    asked.abort();
    readNoMore.abort();
  };
  const reader = new InputReader(inputs, {
    stopping: { asked: asked.signal, readNoMore: readNoMore.signal },
    linesOf: collected.linesOf,
    take: take?.(stop) ?? collected.take,
    say: () => {},
  });
  const unread = reader.run().then(() => reader.unread);
  return { lines: collected.lines, stop, unread, unreadNow: () => reader.unread };
}

/** Takes one chunk, and is told to stop meanwhile. */
const stopAtOnce =
  (stop: () => void): ReaderOptions['take'] =>
  async (chunk, lines) => {
    stop();
    await lines.push(chunk);
  };

const pipe = { name: 'it', path: null, kind: 'pipe', size: null, sizeNow: () => null } as const;

/** Longer than what is read of it at a time: it is cut in the middle of a line. */
const long = `${'x'.repeat(99)}\n`.repeat(10_000);

it('ships no line of a file that is cut off, and tells how to read on', async () => {
  const path = newPath();
  writeFileSync(path, long);
  const { lines, unread } = read(inputsOf([path]), stopAtOnce);
  const [problem = ''] = await unread;
  const [, at, size, rest] = /up to byte (\d+) of (\d+); "tail -c \+(\d+) -- /.exec(problem) ?? [];
  expect(problem).toContain(`-- ${path}" has the rest`);
  expect([at, size, rest]).toEqual([
    String(lines.length * 100),
    '1000000',
    String(lines.length * 100 + 1),
  ]);
  expect(lines.length).toBeGreaterThan(1_000);
  expect(new Set(lines)).toEqual(new Set(['x'.repeat(99)]));
});

it('does so where the file is standard input', async () => {
  const path = newPath();
  writeFileSync(path, long);
  const open = () => createReadStream(path);
  const input: Input = {
    name: 'standard input',
    path: null,
    kind: 'file',
    size: long.length,
    sizeNow: () => long.length,
    open,
  };
  const { lines, unread } = read([input], stopAtOnce);
  const problems = await unread;
  const bytes = lines.length * 100;
  expect(problems).toEqual([
    `the first ${bytes} bytes of standard input were read; "tail -c +${bytes + 1}" of the same has the rest`,
  ]);
  expect(new Set(lines)).toEqual(new Set(['x'.repeat(99)]));
});

it('ships all that a pipe has given, also a line that is cut off', async () => {
  const stream = new PassThrough();
  const input: Input = { ...pipe, open: () => stream };
  const { lines, stop, unread } = read([input]);
  stream.write('whole\ncut of');
  await expect.poll(() => lines).toEqual(['whole']);
  stop();
  expect(await unread).toEqual(['it was not read to its end']);
  expect(lines).toEqual(['whole', 'cut of']);
});

it.each([
  ['with a newline', 'one\ntwo\n'],
  ['without one', 'one\ntwo'],
])('tells of no rest where it is to stop behind the last byte, %s', async (_, content) => {
  const path = newPath();
  writeFileSync(path, content);
  const { lines, unread } = read(inputsOf([path]), stopAtOnce);
  expect(await unread).toEqual([]);
  expect(lines).toEqual(['one', 'two']);
});

it('tells of the rest of a file that has grown since', async () => {
  const path = newPath();
  writeFileSync(path, 'one\ntwo');
  const { lines, unread } = read(inputsOf([path]), (stop) => async (chunk, to) => {
    appendFileSync(path, ' and more\n');
    await stopAtOnce(stop)(chunk, to);
  });
  expect(await unread).toEqual([
    `${path} was read up to byte 4 of 17; "tail -c +5 -- ${path}" has the rest`,
  ]);
  expect(lines).toEqual(['one']);
});

it('tells no place in a file whose name another one has', async () => {
  const path = newPath();
  writeFileSync(path, long);
  const { unread } = read(inputsOf([path]), (stop) => async (chunk, to) => {
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    await stopAtOnce(stop)(chunk, to);
  });
  expect(await unread).toEqual([`${path} was not read to its end`]);
});

it('tells at any time what is not read yet', async () => {
  const [path, next] = [newPath(), newPath()];
  writeFileSync(path, 'one\ntwo');
  writeFileSync(next, '');
  const stream = new PassThrough();
  const inputs = [...inputsOf([path]), { ...pipe, open: () => stream }, ...inputsOf([next])];
  const room = newRoom();
  const { unread, unreadNow } = read(inputs, () => async (chunk, to) => {
    await to.push(chunk);
    await room.isFree;
  });
  const notBegun = `${next} was not begun`;
  const left = `${path} was read up to byte 4 of 7; "tail -c +5 -- ${path}" has the rest`;
  await expect.poll(unreadNow).toEqual([left, 'it was not begun', notBegun]);
  room.free();
  await expect.poll(unreadNow).toEqual(['it was not read to its end', notBegun]);
  stream.end();
  expect(await unread).toEqual([]);
});

it('ends while a named pipe has no writer', async () => {
  const path = newPath();
  execFileSync('mkfifo', [path]);
  const { stop, unread } = read(inputsOf([path]));
  await new Promise((resolve) => setImmediate(resolve));
  stop();
  expect(await unread).toEqual([`${path} was not read to its end`]);
});

it('waits for the writer of a named pipe, and reads all that it writes', async () => {
  const path = newPath();
  execFileSync('mkfifo', [path]);
  const { lines, unread } = read(inputsOf([path]));
  await new Promise((resolve) => setImmediate(resolve));
  const writer = await open(path, 'w');
  await writer.write('one\n');
  await expect.poll(() => lines).toEqual(['one']);
  await writer.write('two');
  await writer.close();
  expect(await unread).toEqual([]);
  expect(lines).toEqual(['one', 'two']);
});

it('tells what cannot be read, and reads on in the next input', async () => {
  const [gone, there] = [newPath(), newPath()];
  for (const path of [gone, there]) writeFileSync(path, 'a line\n');
  const inputs = inputsOf([gone, there]);
  rmSync(gone);
  const { lines, unread } = read(inputs);
  expect(await unread).toEqual([`there is no file ${gone}`]);
  expect(lines).toEqual(['a line']);
});

it('passes on what goes wrong where lines are taken: that is no fault of the file', async () => {
  const path = newPath();
  writeFileSync(path, 'a line\n');
  const defect = new TypeError('a defect');
  const { unread } = read(inputsOf([path]), () => () => Promise.reject(defect));
  await expect(unread).rejects.toBe(defect);
});
