import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Summary } from '../../src/cli/ship/summary.ts';
import { systemErrorCode } from '../../src/errors.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Lines of each file. Few are shipped before anything can happen to them: the second file then waits until it has. */
const lines = inForm({ full: [1_000_000], short: [10_000, 10_000] });
const count = lines.reduce((sum, ofFile) => sum + ofFile, 0);

/** Of the whole process, in bytes. */
const memoryBound = 250e6;

/** Of the first line, in milliseconds since the epoch: brokers delete what is older than they keep records. */
const firstTime = Date.now() - 3_600_000;

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let stack: Stack;
let directory: string;
let files: readonly string[];

beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
  directory = await mkdtemp(join(tmpdir(), 'ship-'));
  files = lines.map((_, index) => join(directory, `${index}.ndjson`));
  let written = 0;
  for (const [index, file] of files.entries()) {
    const end = written + (lines[index] ?? 0);
    await writeLines(file, written, end);
    written = end;
  }
});
afterAll(async () => {
  await stack.stop();
  await rm(directory, { recursive: true });
});

interface Way {
  readonly what: string;
  /** Done once the first records have come. A second file is not read before it calls `goOn`. */
  readonly fault: (goOn: () => void) => Promise<void>;
}

const undisturbed: Way = { what: 'nothing disturbs it', fault: async (goOn) => goOn() };

const restarted: Way = {
  what: 'the only broker is restarted in the middle',
  async fault(goOn) {
    for (const broker of stack.brokers) await broker.stop();
    goOn();
    for (const broker of stack.brokers) await broker.start();
  },
};

const ways = inForm({ full: [undisturbed, restarted], short: [restarted] });

describe(`\`ship\` of ${count} lines: each is there once, in little memory,`, () => {
  it.for(ways)('where $what', async ({ what, fault }, context) => {
    const { expect } = context;
    const topic = uniqueTopic('ship');
    await stack.createTopic(topic, { partitions: 3 });
    const ship = await startShip(topic);
    while ((await storedIn(topic)) === 0 && !ship.hasEnded) await sleep(10);
    const beganAt = performance.now();
    await fault(ship.goOn);
    const faultMs = performance.now() - beganAt;
    const inTheMiddle = !ship.hasEnded;
    const { summary, peakBytes, code, err } = await ship.ended;
    const found = await find(topic);
    reportFigures(context, 'ship', {
      Where: what,
      Lines: count,
      'Read (MB)': Math.round(summary.bytes / 1e6),
      Acknowledged: summary.acknowledged,
      'Found by the reader': found.records,
      Lost: count - found.different,
      Repeated: found.records - found.different,
      'Peak memory': `${Math.round(peakBytes / 2 ** 20)} MiB`,
      Took: `${summary.seconds.toFixed(1)} s`,
      'Of these without a broker': faultMs < 100 ? '' : `${(faultMs / 1_000).toFixed(1)} s`,
    });

    expect(code, err).toBe(0);
    expect(summary).toMatchObject({ records: count, acknowledged: count, unread: [] });
    expect(found).toEqual({ records: count, different: count });
    expect(peakBytes).toBeLessThan(memoryBound);
    // Else nothing was disturbed.
    if (faultMs > 100) expect(inTheMiddle).toBe(true);
  });
});

function lineOf(n: number): string {
  return JSON.stringify({
    level: 30,
    time: firstTime + n,
    pid: 4711,
    hostname: 'beamline-7',
    n,
    msg: `frame ${n} of the run, of the usual length of a log line, and nothing special about it`,
  });
}

async function writeLines(path: string, from: number, to: number): Promise<void> {
  const stream = createWriteStream(path);
  for (let n = from; n < to; n += 1) {
    if (!stream.write(`${lineOf(n)}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'close');
}

interface Shipped {
  readonly code: number | null;
  readonly summary: Summary;
  readonly err: string;
  /** Highest resident memory of the process. */
  readonly peakBytes: number;
}

interface RunningShip {
  readonly hasEnded: boolean;
  readonly goOn: () => void;
  readonly ended: Promise<Shipped>;
}

async function startShip(topic: string): Promise<RunningShip> {
  const { refreshToken } = await stack.globus.signIn();
  const flags = ['--topic', topic, '--source-headers', '--json'];
  // Between two files it reads its standard input, in which nothing is: to its end.
  const inputs = files.flatMap((file, index) => (index === 0 ? [file] : ['-', file]));
  const child = spawn(process.execPath, [commandLine, 'ship', ...flags, ...inputs], {
    env: { PATH: process.env['PATH'], ...stack.env, DIASPORA_REFRESH: refreshToken },
    stdio: 'pipe',
  });
  let peakBytes = 0;
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid ?? -1));
  }, 20);
  const closed = once(child, 'close').finally(() => clearInterval(watch));
  const [out, err] = [text(child.stdout), text(child.stderr)];
  return {
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    goOn: () => void child.stdin.end(),
    ended: closed.then(async () => ({
      code: child.exitCode,
      summary: JSON.parse((await out) || '{}'),
      err: await err,
      peakBytes,
    })),
  };
}

/** 0 once the process has ended. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
  } catch (error) {
    if (/^(ENOENT|ESRCH)$/.test(systemErrorCode(error) ?? '')) return 0;
    throw error;
  }
}

async function storedIn(topic: string): Promise<number> {
  const ends = await stack.endOffsets(topic);
  return [...ends.values()].reduce((sum, end) => sum + Number(end), 0);
}

/** @throws Error where a record is none of the lines. */
async function find(topic: string): Promise<{ records: number; different: number }> {
  const seen = new Uint8Array(count);
  let records = 0;
  let different = 0;
  for await (const { value } of stack.readTopic(topic)) {
    const line = String(value);
    const { n } = JSON.parse(line);
    if (line !== lineOf(n)) throw new Error(`It was shipped as ${line}`);
    records += 1;
    if (seen[n] === 0) different += 1;
    seen[n] = 1;
  }
  return { records, different };
}
