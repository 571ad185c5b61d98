import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const module = JSON.stringify(new URL('../../../src/produce/keep-alive.ts', import.meta.url).href);

/** Waits, for nothing but an unreferenced timer, and tells what it saw. */
async function program(wait: string): Promise<string> {
  const code = `
    import { KeepAlive } from ${module};
    const keepAlive = new KeepAlive();
    const answer = new Promise((resolve) => setTimeout(resolve, 50, 'answered').unref());
    ${wait}.then((text) => console.log(text));
    process.on('exit', () => console.log('exit'));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  return (await run(process.execPath, args)).stdout;
}

it('keeps the process alive for as long as a promise is waited for, and no longer', async () => {
  expect(await program('keepAlive.during(answer)')).toBe('answered\nexit\n');
  expect(await program('answer')).toBe('exit\n');
});
