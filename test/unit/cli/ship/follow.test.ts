import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkFollowed, followFiles } from '../../../../src/cli/ship/follow.ts';
import { LineShipper } from '../../../../src/cli/ship/line-shipper.ts';
import { Room } from '../../../../src/cli/ship/room.ts';
import { ConfigurationError } from '../../../../src/errors.ts';
import { RecordBuilder } from '../../../../src/transports/record-builder.ts';

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
  stop(): Promise<void>;
}

const endlessPatience = { patienceMs: Number.POSITIVE_INFINITY, onImpatient: () => {} };

/** A buffer that always has room. */
const endless = { bufferedBytes: 0, onSettled: () => () => true, tooLarge() {} };

function follow(paths: readonly string[], from: 'start' | 'end'): Following {
  const lines: string[] = [];
  const said: string[] = [];
  const asked = new AbortController();
  const routing = { topic: 't', key: null, keyField: null, headers: [], headerFields: [] };
  const builder = new RecordBuilder({ ...routing, partition: null, transform: null });
  const shipper = {
    ...endless,
    write: ({ value }: { value: string | Buffer | null }) => void lines.push(String(value)),
  };
  const { signal: readNoMore } = new AbortController();
  const ended = followFiles(paths, {
    from,
    stopping: { asked: asked.signal, readNoMore },
    linesOf: (stop) =>
      new LineShipper({
        shipper,
        builder,
        room: new Room({ shipper, maxBytes: 2 ** 20, stop, expired: stop, ...endlessPatience }),
        maxBytes: 2 ** 20,
        arrivalTime: false,
        onOld: () => {},
        onUntaken: () => {},
      }),
    take: (chunk, to) => to.push(chunk),
    say: (line) => void said.push(line),
  });
  const stop = async (): Promise<void> => {
    asked.abort();
    await ended;
  };
  onTestFinished(stop);
  return {
    lines,
    said,
    has: (...wanted) => expect.poll(() => lines, { timeout: 5_000 }).toEqual(wanted),
    begun: () => expect.poll(() => said, { timeout: 5_000 }).toHaveLength(paths.length),
    stop,
  };
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
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'one\nbegun');
    const following = follow([path], 'end');
    await following.begun();
    appendFileSync(path, ' and ended\n');
    await following.has('begun and ended');
  });

  it('may come to be later', async () => {
    const path = join(newDirectory(), 'app.log');
    const following = follow([path], 'end');
    await following.begun();
    expect(following.said.join()).toContain('it is read once there is');
    writeFileSync(path, 'first\n');
    await following.has('first');
  });

  it('is read to its end when it is renamed, and the new one after it', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, '');
    const following = follow([path], 'end');
    await following.begun();
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
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'a\n');
    const following = follow([path], 'start');
    await following.has('a');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'b\n');
    await following.has('a', 'b');
    renameSync(path, `${path}.2`);
    writeFileSync(path, 'c\n');
    await following.has('a', 'b', 'c');
  });

  it('is read from its beginning where it was copied and emptied', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, '');
    const following = follow([path], 'end');
    await following.begun();
    appendFileSync(path, 'a1\na2\n');
    await following.has('a1', 'a2');
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
    appendFileSync(path, 'b\n');
    await following.has('a1', 'a2', 'b');
    expect(following.said.join()).toContain('was emptied');
  });

  it('is read from its beginning where it was emptied and has grown beyond where it was', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, '');
    const following = follow([path], 'end');
    await following.begun();
    appendFileSync(path, 'a1\n');
    await following.has('a1');
    const many = Array.from({ length: 100 }, (_, n) => `b${n}`);
    // One call: there is no moment at which it is shorter.
    writeFileSync(path, `${many.join('\n')}\n`);
    await following.has('a1', ...many);
  });

  it('is read by its name where it is deleted and made again', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, 'a\n');
    const following = follow([path], 'start');
    await following.has('a');
    rmSync(path);
    writeFileSync(path, 'b\n');
    await following.has('a', 'b');
  });

  it('has what was read last shipped at the end, also without a newline', async () => {
    const path = join(newDirectory(), 'app.log');
    writeFileSync(path, '');
    const following = follow([path], 'end');
    await following.begun();
    appendFileSync(path, 'a\n');
    await following.has('a');
    appendFileSync(path, 'b\nno newline');
    await following.stop();
    expect(following.lines).toEqual(['a', 'b', 'no newline']);
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
  for (const paths of [[], ['-'], [join(directory, 'inner')]]) {
    expect(() => checkFollowed(paths)).toThrow(ConfigurationError);
  }
  checkFollowed([join(directory, 'not there yet')]);
});
