import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkFollowed, FollowReader } from '../../../../src/cli/ship/follow.ts';
import type { ReaderOptions } from '../../../../src/cli/ship/reader.ts';
import { ConfigurationError } from '../../../../src/errors.ts';
import { collectLines, newRoom } from './collected-lines.ts';

/** What happens once, between a look at a file and what follows from it. */
const meanwhile: (() => void)[] = [];
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const stat = async (path: string) => {
    const answer = await real.stat(path);
    meanwhile.pop()?.();
    return answer;
  };
  return { ...real, stat };
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'follow-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Following {
  readonly lines: readonly string[];
  readonly said: readonly string[];
  /** Resolves once these lines, and no others, have come in this order. */
  has(...lines: string[]): Promise<void>;
  /** Resolves once each file is looked at: what is written from now on is new. */
  begun(): Promise<void>;
  /** Answers what was not read. */
  stop(): Promise<string[]>;
  unreadNow(): string[];
}

function follow(
  paths: readonly string[],
  from: 'start' | 'end',
  take?: (stop: () => void) => ReaderOptions['take'],
): Following {
  const { lines, linesOf, take: takeAll } = collectLines();
  const said: string[] = [];
  const asked = new AbortController();
  const { signal: readNoMore } = new AbortController();
  const reader = new FollowReader(paths, {
    from,
    stopping: { asked: asked.signal, readNoMore },
    linesOf,
    take: take?.(() => asked.abort()) ?? takeAll,
    say: (line) => void said.push(line),
  });
  const ended = reader.run();
  const stop = async (): Promise<string[]> => {
    asked.abort();
    await ended;
    return reader.unread;
  };
  onTestFinished(async () => void (await stop().catch(() => {})));
  return {
    lines,
    said,
    has: (...wanted) => expect.poll(() => lines).toEqual(wanted),
    begun: () => expect.poll(() => said).toHaveLength(paths.length),
    stop,
    unreadNow: () => reader.unread,
  };
}

/** Follows a new file with this content, or none that is there yet: once it is looked at. */
async function followLog(
  content: string | null,
  from: 'start' | 'end' = 'end',
): Promise<{ readonly path: string; readonly following: Following }> {
  const path = join(newDirectory(), 'app.log');
  if (content !== null) writeFileSync(path, content);
  const following = follow([path], from);
  await following.begun();
  return { path, following };
}

/** Whether this process has the file open. */
function isOpen(path: string): boolean {
  const { dev, ino } = statSync(path);
  return readdirSync('/dev/fd').some((fd) => {
    try {
      const stat = fstatSync(Number(fd));
      return stat.dev === dev && stat.ino === ino;
    } catch {
      // That of the list itself.
      return false;
    }
  });
}

describe('a followed file', () => {
  it('is read from now on, or from its start', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'one\ntwo\n');
    const fromEnd = follow([path], 'end');
    const fromStart = follow([path], 'start');
    await fromStart.has('one', 'two');
    await fromEnd.begun();
    appendFileSync(path, 'three\n');
    await fromStart.has('one', 'two', 'three');
    await fromEnd.has('three');
  });

  it('has a line that was begun before shipped whole', async () => {
    const { path, following } = await followLog('one\nbegun');
    appendFileSync(path, ' and ended\n');
    await following.has('begun and ended');
  });

  it('may come to be later', async () => {
    const { path, following } = await followLog(null);
    expect(following.said.join()).toContain('it is read once there is');
    writeFileSync(path, 'first\n');
    await following.has('first');
  });

  it('is read to its end when it is renamed, and the new one after it', async () => {
    const { path, following } = await followLog('');
    appendFileSync(path, 'a1\n');
    await following.has('a1');
    const old = openSync(path, 'a');
    writeSync(old, 'a2\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'b1\n');
    await following.has('a1', 'a2', 'b1');
    // The app has not opened its log anew.
    writeSync(old, 'a3\n');
    await following.has('a1', 'a2', 'b1', 'a3');
    appendFileSync(path, 'b2\n');
    await following.has('a1', 'a2', 'b1', 'a3', 'b2');
  });

  it('is read through two rotations that follow each other at once', async () => {
    const { path, following } = await followLog('a\n', 'start');
    await following.has('a');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'b\n');
    await following.has('a', 'b');
    renameSync(path, `${path}.2`);
    writeFileSync(path, 'c\n');
    await following.has('a', 'b', 'c');
  });

  it('is read through rotations that come while its lines find no room', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, '');
    const room = newRoom();
    const taken: string[] = [];
    const { begun, stop } = follow([path], 'start', () => async (chunk) => {
      taken.push(String(chunk));
      if (taken.length === 1) await room.isFree;
    });
    onTestFinished(room.free);
    await begun();
    appendFileSync(path, 'a\n');
    await expect.poll(() => taken).toEqual(['a\n']);
    for (const line of ['b', 'c', 'd']) {
      renameSync(path, join(dirname(path), line));
      writeFileSync(path, `${line}\n`);
      await expect.poll(() => isOpen(path)).toBe(true);
    }
    room.free();
    await expect.poll(() => taken).toEqual(['a\n', 'b\n', 'c\n', 'd\n']);
    expect(await stop()).toEqual([]);
  });

  it('is read where it has got the name just before it is to stop', async () => {
    const { path, following } = await followLog('');
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, 'a\n');
    writeFileSync(path, 'b\n');
    expect(await following.stop()).toEqual([]);
    expect(following.lines).toEqual(['a', 'b']);
  });

  it('is read where it gets the name while the last look is under way', async () => {
    const { path, following } = await followLog('');
    const stopped = new Promise<string[]>((resolve) => {
      meanwhile.push(() => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, 'b\n');
        resolve(following.stop());
      });
    });
    expect(await stopped).toEqual([]);
    expect(following.lines).toEqual(['b']);
  });

  it('is read from its beginning where it was copied and emptied', async () => {
    const { path, following } = await followLog('');
    appendFileSync(path, 'a1\na2\n');
    await following.has('a1', 'a2');
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, 'b\n');
    await following.has('a1', 'a2', 'b');
    expect(following.said.join()).toContain('was emptied');
  });

  it('is read from its beginning where it was emptied and has grown beyond where it was', async () => {
    const { path, following } = await followLog('');
    appendFileSync(path, 'a1\n');
    await following.has('a1');
    const many = Array.from({ length: 100 }, (_, n) => `b${n}`);
    // One call: there is no moment at which it is shorter.
    writeFileSync(path, `${many.join('\n')}\n`);
    await following.has('a1', ...many);
  });

  it('is read by its name where it is deleted and made again', async () => {
    const { path, following } = await followLog('a\n', 'start');
    await following.has('a');
    rmSync(path);
    writeFileSync(path, 'b\n');
    await following.has('a', 'b');
  });

  it('has what was read last shipped at the end, also without a newline', async () => {
    const { path, following } = await followLog('');
    appendFileSync(path, 'a\n');
    await following.has('a');
    appendFileSync(path, 'b\nno newline');
    expect(await following.stop()).toEqual([]);
    expect(following.lines).toEqual(['a', 'b', 'no newline']);
  });

  it('is read no further once it is to stop, and what is left is told with its command', async () => {
    // More than is read at a time: it is cut in the middle of a line.
    const line = 'x'.repeat(99);
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, `${line}\n`.repeat(30_000));
    const { lines, stop } = follow([path], 'start', (asked) => async (chunk, to) => {
      asked();
      await to.push(chunk);
    });
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    const unread = await stop();
    const at = lines.length * 100;
    expect(at).toBeLessThan(1_000_000);
    expect(unread).toEqual([
      `${path} was read up to byte ${at} of 3000000; "tail -c +${at + 1} -- ${path}" has the rest`,
    ]);
    expect(new Set(lines)).toEqual(new Set([line]));
  });

  it('tells at any time what is not read yet', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'one\ntwo');
    const room = newRoom();
    const { stop, unreadNow } = follow([path], 'start', () => async (chunk, to) => {
      await to.push(chunk);
      await room.isFree;
    });
    onTestFinished(room.free);
    const left = `${path} was read up to byte 4 of 7; "tail -c +5 -- ${path}" has the rest`;
    await expect.poll(unreadNow).toEqual([left]);
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    const former = `of the file that had the name ${path} before, 4 of 7 bytes were read`;
    await expect.poll(unreadNow).toEqual([former]);
    room.free();
    expect(await stop()).toEqual([]);
  });

  it('is told to be unread where it never could be read', async () => {
    const { path, following } = await followLog('');
    rmSync(path);
    execFileSync('mkfifo', [path]);
    await expect.poll(() => following.said).toHaveLength(2);
    expect(await following.stop()).toEqual([`${path} cannot be read (it is no file that grows)`]);
  });

  it('is none to blame where what goes wrong is how its lines are taken', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'a line\n');
    const defect = new TypeError('a defect');
    const { stop } = follow([path], 'start', () => () => Promise.reject(defect));
    await expect(stop()).rejects.toBe(defect);
  });

  it('is one of several', async () => {
    const directory = newDirectory();
    const [one, two] = [join(directory, 'one'), join(directory, 'two')];
    writeFileSync(one, '');
    const following = follow([one, two], 'end');
    await following.begun();
    appendFileSync(one, '1');
    writeFileSync(two, '2\n');
    await following.has('2');
    appendFileSync(one, '1\n');
    await following.has('2', '11');
  });
});

it('what can never be followed is refused', () => {
  const directory = newDirectory();
  mkdirSync(join(directory, 'inner'));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  for (const paths of [[], ['-'], [join(directory, 'inner')], [join(directory, 'pipe')]]) {
    expect(() => checkFollowed(paths)).toThrow(ConfigurationError);
  }
  checkFollowed([join(directory, 'not there yet')]);
});
