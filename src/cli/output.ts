/** How commands speak: results on stdout, everything else on stderr, colours only where a person sees them. */
import type { Writable } from 'node:stream';
import { createColors } from 'picocolors';

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
