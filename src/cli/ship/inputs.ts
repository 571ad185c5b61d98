/** What is shipped: files in their order, or standard input. */
import {
  accessSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  type Stats,
  statSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ConfigurationError, systemErrorCode } from '../../errors.ts';
import { shellQuoted } from '../output.ts';

/** Bytes that are read of a file at a time. */
const chunkBytes = 256 * 1024;

export interface Input {
  /** For messages. */
  readonly name: string;
  /** Null for standard input. */
  readonly path: string | null;
  /** A pipe has a writer that ends it; a file can be read again. */
  readonly kind: 'file' | 'pipe' | 'terminal';
  /** Bytes of a regular file, which keeps what is not read; null for all others. */
  readonly size: number | null;
  /** What they are by now; null also where the file is gone, or another has its name. */
  sizeNow(): number | null;
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
  const size = stat.isFile() ? stat.size : null;
  const sizeNow = (): number | null => sizeOf(0, stat);
  return { name: 'standard input', path: null, kind, size, sizeNow, open: () => process.stdin };
}

function fileNamed(path: string): Input {
  const stat = checkFile(path);
  return {
    name: path,
    path,
    kind: stat?.isFIFO() ? 'pipe' : 'file',
    size: stat?.isFile() ? stat.size : null,
    sizeNow: () => sizeOf(path, stat),
    open: () =>
      stat?.isFIFO() ? openPipe(path) : createReadStream(path, { highWaterMark: chunkBytes }),
  };
}

/** Null where it is no regular file, or not the one that it was. */
function sizeOf(file: string | 0, before: Stats | null): number | null {
  try {
    const now = file === 0 ? fstatSync(file) : statSync(file);
    const isSame = now.dev === before?.dev && now.ino === before.ino;
    return isSame && now.isFile() ? now.size : null;
  } catch {
    return null;
  }
}

/** Waits for its writer as a socket does: an ordinary `open` would hold a thread until there is one, and with it the end of the process. */
function openPipe(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
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

/** Where reading a file of so many bytes ended, and the command for the rest. A sentence without its full stop. */
export function leftOff(path: string, at: number, size: number): string {
  return `${path} was read up to byte ${at} of ${size}; "tail -c +${at + 1} -- ${shellWord(path)}" has the rest`;
}

/** As it stands where a shell takes nothing in it for its own. */
const shellWord = (name: string): string =>
  /^[\w./@%+=:,-]+$/.test(name) ? name : shellQuoted(name);
