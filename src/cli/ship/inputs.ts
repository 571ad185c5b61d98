/** What is shipped: files in their order, or standard input. */
import { accessSync, constants, createReadStream, fstatSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ConfigurationError, systemErrorCode } from '../../errors.ts';

/** Bytes that are read of a file at a time. */
const chunkBytes = 256 * 1024;

export interface Input {
  /** For messages. */
  readonly name: string;
  /** A pipe has a writer that ends it; a file can be read again. */
  readonly kind: 'file' | 'pipe' | 'terminal';
  /** Bytes, where that is known. */
  readonly size: number | null;
  open(): Readable;
}

/**
 * Checks all of them before anything is sent: half a job would have to be taken up by hand. Throws `ConfigurationError` for
 * one that is missing, a directory, or not to be read.
 */
export function inputsOf(names: readonly string[]): Input[] {
  const repeated = names.filter((name, i) => name === '-' && names.indexOf('-') < i);
  if (repeated.length > 0) {
    throw new ConfigurationError('Standard input ("-") can be read only once: name it once.');
  }
  return (names.length === 0 ? ['-'] : names).map((name) =>
    name === '-' ? standardInput() : fileNamed(name),
  );
}

function standardInput(): Input {
  const stat = fstatSync(0);
  const kind = process.stdin.isTTY ? 'terminal' : stat.isFile() ? 'file' : 'pipe';
  return { name: 'standard input', kind, size: null, open: () => process.stdin };
}

function fileNamed(path: string): Input {
  const stat = checkFile(path);
  return {
    name: path,
    kind: stat?.isFIFO() ? 'pipe' : 'file',
    size: stat?.isFile() ? stat.size : null,
    open: () => createReadStream(path, { highWaterMark: chunkBytes }),
  };
}

/** Null where it is missing, and may be. Throws `ConfigurationError` for what cannot be read. */
export function checkFile(
  path: string,
  { mayBeMissing = false }: { readonly mayBeMissing?: boolean } = {},
): Stats | null {
  try {
    const stat = statSync(path);
    accessSync(path, constants.R_OK);
    if (!stat.isDirectory()) return stat;
  } catch (error) {
    if (mayBeMissing && systemErrorCode(error) === 'ENOENT') return null;
    throw new ConfigurationError(`Nothing was sent: ${readFailure(path, error)}.`);
  }
  throw new ConfigurationError(
    `Nothing was sent: ${path} is a directory. Name its files, such as ${join(path, '*.log')}.`,
  );
}

/** Why it cannot be read, in one sentence without its full stop. */
export function readFailure(name: string, error: unknown): string {
  const code = systemErrorCode(error);
  if (code === 'ENOENT') return `there is no file ${name}`;
  if (code === 'EACCES' || code === 'EPERM') return `this account may not read ${name} (${code})`;
  const why = error instanceof Error ? error.message : String(error);
  return `${name} cannot be read (${why})`;
}
