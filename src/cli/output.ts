/** How commands speak: results on stdout, everything else on stderr, colours only where a person sees them. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { createColors } from 'picocolors';
import { within } from '../deadline.ts';

/** How long the last of an output may wait for its reader once there is a hurry, in milliseconds. */
const lastOutputMs = 2_000;

/** A word for a POSIX shell. */
export const shellQuoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;

/** One JSON value on a line, for programs. */
export function printJson(value: unknown, stream: Writable = process.stdout): void {
  stream.write(`${JSON.stringify(value)}\n`);
}

/** Names and values in two columns. */
export function printTable(
  rows: readonly (readonly [name: string, value: string])[],
  stream: Writable = process.stdout,
): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) stream.write(`${name.padEnd(width)}  ${value}\n`);
}

/** Colours of a stream: none in a pipe or file, none where NO_COLOR is set to anything (https://no-color.org). */
export function coloursOf(
  stream: { readonly isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): ReturnType<typeof createColors> {
  return createColors(stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
}

/** Resolves with true once the last of an output is taken; with false where it still is not some time after `hurry` was aborted. */
export async function takenInTime(taken: Promise<void>, hurry: AbortSignal): Promise<boolean> {
  if (!hurry.aborted) await Promise.race([taken, once(hurry, 'abort')]);
  const late = (): Error => new Error('the output is not taken');
  const isTaken = taken.then(() => true);
  return within(isTaken, { timeoutMs: lastOutputMs, late }).catch(() => false);
}
