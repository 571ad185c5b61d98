/** One process a contestant and round: no two share a heap, or code that V8 has optimised for the other. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Measured, Task } from './task.ts';

const programs = ['pino', 'shipper', 'kafkajs', 'log-call'] as const;

/** A file of `contestants/`. */
export type Program = (typeof programs)[number];

export interface Processes extends AsyncDisposable {
  /** Rejects where the contestant fails, or has not delivered every record. */
  run(program: Program, task: Task): Promise<Measured>;
}

/**
 * Strips the types once, so that contestants run in plain Node: a loader would be part of what is
 * measured, in the main thread and again in Pino's worker. `profileDirectory`: a CPU profile of each
 * thread of each contestant goes there, for Chrome's DevTools; null for none.
 */
export async function prepareProcesses(profileDirectory: string | null): Promise<Processes> {
  const directory = fileURLToPath(new URL(`../.cache/bench-${process.pid}/`, import.meta.url));
  await build({
    entryPoints: programs.map((name) =>
      fileURLToPath(new URL(`contestants/${name}.ts`, import.meta.url)),
    ),
    outdir: directory,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  const execArgv =
    profileDirectory === null ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDirectory];
  return {
    async run(program, task) {
      const child = fork(join(directory, `${program}.js`), { execArgv });
      const ended = once(child, 'exit');
      child.send(task);
      const answers: Measured[] = [];
      child.on('message', (measured: Measured) => answers.push(measured));
      const [code] = await ended;
      const [measured] = answers;
      if (code !== 0 || !measured) throw new Error(`${program} ended with ${code}.`);
      if (measured.delivered !== task.records) {
        throw new Error(`${program} delivered ${measured.delivered} of ${task.records} records.`);
      }
      return measured;
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}
