/** Runs a program to its end and collects what it wrote. */

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** A program that ran to its end. */
export interface Finished {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Answers once the program has ended, whatever its exit code. Rejects with the `ENOENT` of `spawn` where it does not exist. */
export async function runToEnd(program: string, args: readonly string[]): Promise<Finished> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Whether `spawn` failed because there is no such program. */
export function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
