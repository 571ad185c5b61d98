import { setMaxListeners } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { Tee } from '../../../../src/cli/ship/tee.ts';

const never = new AbortController().signal;

interface Passing {
  readonly tee: Tee;
  readonly said: readonly string[];
}

function teeTo(stream: Writable): Passing {
  const said: string[] = [];
  return { tee: new Tee(stream, (line) => said.push(line)), said };
}

it('ends once everything is taken, however slowly', async () => {
  const stream = new PassThrough({ highWaterMark: 4 });
  const { tee, said } = teeTo(stream);
  const written = tee.write(Buffer.from('more than fits'), never);
  const finished = tee.finish(never);
  const out = text(stream);
  await written;
  expect(await finished).toBe(true);
  stream.end();
  expect(await out).toBe('more than fits');
  expect({ failed: tee.failed, said }).toEqual({ failed: false, said: [] });
});

it('ends where nobody takes it once there is a hurry, and says so', async () => {
  const { tee, said } = teeTo(new Writable({ highWaterMark: 4, write: () => {} }));
  const hurry = new AbortController();
  const written = tee.write(Buffer.from('more than fits'), hurry.signal);
  const finished = tee.finish(hurry.signal);
  hurry.abort();
  await written;
  expect(await finished).toBe(false);
  expect(tee.failed).toBe(true);
  expect(said.join()).toContain('standard output is not read');
});

it('ends where whoever took it has ended', async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  const { tee, said } = teeTo(stream);
  await tee.write(Buffer.from('a line\n'), never);
  expect(await tee.finish(never)).toBe(true);
  expect(tee.failed).toBe(false);
  expect(said.join()).toContain('whoever read standard output has ended');
});

it('lets any number of files wait for who takes them slowly', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const stream = new PassThrough({ highWaterMark: 4 });
  const { tee } = teeTo(stream);
  const { signal: hurry } = new AbortController();
  setMaxListeners(0, hurry);
  const written = Array.from({ length: 20 }, () => tee.write(Buffer.from('a line\n'), hurry));
  const out = text(stream);
  await Promise.all(written);
  stream.end();
  expect(await out).toBe('a line\n'.repeat(20));
  expect(warnings).toEqual([]);
});
