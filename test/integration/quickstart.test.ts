import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Other stacks, of tests that run beside this one, have theirs elsewhere. */
const temporary = mkdtempSync(join(tmpdir(), 'quickstart-'));
afterAll(() => rmSync(temporary, { recursive: true }));

/** Of every stack of a quickstart that runs now. */
const stackDirectories = (): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith('diaspora-stack-'));

function quickstart(...args: readonly string[]) {
  // As npm runs it, without the set-up that this run has done already.
  return spawn(process.execPath, ['--import', 'tsx', 'quickstart/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

it('the quickstart loses and repeats nothing, and says so in its last line', async () => {
  const child = quickstart();
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  const lines = stdout.trimEnd().split('\n');
  const match =
    /^quickstart: (\d+) logged, (\d+) acknowledged, (\d+) read back, 0 lost, 0 repeated$/.exec(
      lines.at(-1) ?? '',
    );
  expect(match, stdout + stderr).not.toBeNull();
  const [, logged, acknowledged, read] = match ?? [];
  expect(Number(logged)).toBeGreaterThan(5_000);
  expect([acknowledged, read]).toEqual([logged, logged]);
  expect(stdout).toContain('INFO');
  // Of each app as many were read as it logged.
  for (const app of ['Pino, in its worker', 'Winston']) {
    const [row = ''] = lines.filter((line) => line.includes(`│ ${app} `));
    const [logged, ...others] = row.match(/\d+/g) ?? [];
    expect(others, row).toEqual([logged, logged]);
  }
  expect(child.exitCode).toBe(0);
});

it('with --keep it leaves the stack running, and what it prints works as printed', async () => {
  const child = quickstart('--keep');
  let printed = '';
  child.stderr.resume();
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    printed += chunk;
    if (printed.includes("logger.info('my first record');")) break;
  }
  const env = Object.fromEntries(
    [...printed.matchAll(/^export (DIASPORA_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  const code = printed.slice(printed.indexOf('import pino'));
  const app = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'inherit',
  });
  await once(app, 'close');
  expect(app.exitCode).toBe(0);
  const reader = spawn(
    process.execPath,
    ['examples/consumer.js', env['DIASPORA_TOPIC'] ?? '', 'another-group'],
    { cwd: root, env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  expect(await text(reader.stdout)).toContain('"msg":"my first record"');
  child.kill('SIGINT');
  await once(child, 'close');
  expect(child.exitCode).toBe(0);
});

it.each([
  { signal: 'SIGINT', exitCode: 130 },
  { signal: 'SIGTERM', exitCode: 143 },
  { signal: 'SIGHUP', exitCode: 129 },
] as const)('$signal ends it at work, with its directory', async ({ signal, exitCode }) => {
  const child = quickstart();
  child.stdout.resume();
  for await (const chunk of child.stderr.setEncoding('utf8')) {
    if (String(chunk).includes('Logging through Pino')) break;
  }
  expect(stackDirectories()).toHaveLength(1);
  child.kill(signal);
  await once(child, 'exit');
  expect(child.exitCode).toBe(exitCode);
  expect(stackDirectories()).toEqual([]);
});
