import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

function quickstart(...args: readonly string[]) {
  // As npm runs it, without the set-up that this run has done already.
  return spawn(process.execPath, ['--import', 'tsx', 'quickstart/main.ts', ...args], {
    cwd: root,
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
