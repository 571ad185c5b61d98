import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

const stalls = new URL('../apps/stalls.mjs', import.meta.url).href;

/** What `measureStalls` tells of `code`, which runs between two pauses of 100 ms; `meanwhile` is called in between. */
async function measured(code: string, meanwhile = async (_: ChildProcess) => {}) {
  const app = `
    import { setTimeout } from 'node:timers/promises';
    import { measureStalls } from '${stalls}';
    const measuring = measureStalls();
    await setTimeout(100);
    console.log('begun');
    ${code}
    await setTimeout(100);
    console.log(JSON.stringify(measuring.stop()));
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', app], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  const lines = createInterface(child.stdout);
  await once(lines, 'line');
  const told = once(lines, 'line');
  await meanwhile(child);
  const [line] = await told;
  return JSON.parse(String(line)) as { longestMs: number; longestOwnMs: number };
}

describe.skipIf(process.platform !== 'linux')('An app’s own stall', () => {
  it('is what it runs', async () => {
    const { longestMs, longestOwnMs } = await measured(`
      const { cpuUsage } = process;
      const begun = cpuUsage();
      while (cpuUsage(begun).user + cpuUsage(begun).system < 300_000);
    `);
    expect(longestOwnMs).toBeGreaterThan(200);
    expect(longestMs).toBeGreaterThanOrEqual(longestOwnMs);
  });

  it('is what blocks it', async () => {
    const { longestOwnMs } = await measured(
      'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);',
    );
    expect(longestOwnMs).toBeGreaterThan(200);
  });

  it('is no sleep that ends late', async () => {
    const rounds = [];
    for (let round = 0; round < 5; round += 1) {
      rounds.push(
        await measured('await setTimeout(600);', async (child) => {
          // It has said that it begins, and then sleeps.
          await sleep(100);
          child.kill('SIGSTOP');
          await sleep(300);
          child.kill('SIGCONT');
        }),
      );
    }
    for (const { longestMs } of rounds) expect(longestMs).toBeGreaterThan(200);
    // One may be stopped in the very moment in which it does something.
    const own = rounds.map(({ longestOwnMs }) => longestOwnMs).toSorted((a, b) => a - b);
    expect(own[2]).toBeLessThan(100);
  });
});
