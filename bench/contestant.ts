/** The frame of a contestant's process: one task in, one measurement out. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Measured, Task } from './task.ts';

/** Runs when the task arrives. What it throws ends the process with exit code 1. */
export async function contestant<T extends Task = Task>(
  run: (task: T) => Promise<Measured>,
): Promise<void> {
  const [task]: T[] = await once(process, 'message');
  if (!task || !process.send) throw new Error('Started by bench/main.ts alone.');
  // Pino's worker does not keep the process alive while it delivers.
  process.channel?.ref();
  process.send(await run(task));
  process.disconnect();
}

/** Reads all clocks at once; the function it answers tells what has gone by since. */
export function startClocks(): () => Omit<Measured, 'delivered' | 'connectMilliseconds'> {
  const cpu = process.cpuUsage();
  const main = mainThreadMilliseconds();
  const start = performance.now();
  return () => {
    const milliseconds = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const now = mainThreadMilliseconds();
    return {
      milliseconds,
      cpuMilliseconds: (user + system) / 1e3,
      mainThreadMilliseconds: now === null || main === null ? null : now - main,
      peakMiB: process.resourceUsage().maxRSS / 1024,
    };
  };
}

/** CPU time of the main thread: by Node where it can tell, by Linux's scheduler otherwise. Called on that thread. */
function mainThreadMilliseconds(): number | null {
  if ('threadCpuUsage' in process && typeof process.threadCpuUsage === 'function') {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1e3;
  }
  try {
    // https://docs.kernel.org/scheduler/sched-stats.html: the first number is nanoseconds on a CPU.
    const [nanoseconds] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ');
    return Number(nanoseconds) / 1e6;
  } catch {
    return null;
  }
}
