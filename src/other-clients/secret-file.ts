/** Files with secrets that a command writes for its user: where they may lie, and what they may replace. */
import { access, chmod, constants, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { replaceFile } from '../auth/atomic-file.ts';
import { reasonOf } from '../auth/failure-reason.ts';
import { ConfigurationError, systemErrorCode } from '../errors.ts';

/** A name comes from outside: it names a file here, and never another directory. */
export function fileNameOf(name: string): string {
  return name.replace(/[^\w.@+-]/g, '_').replace(/^\.+/, '_') || 'diaspora';
}

/** Throws `ConfigurationError` for a directory that cannot be written to. `what`: what was to be written. */
export async function requireDirectory(directory: string, what: string): Promise<void> {
  try {
    // The dot: a file of that name is no directory.
    await access(`${resolve(directory)}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigurationError(
      `Cannot write ${what} to the directory ${directory} (${reasonOf(error)}): make it, or choose another with --out.`,
    );
  }
}

/**
 * Writes a file with secrets, mode 0600. One that is there is only replaced where it begins with `mark`: that is this
 * package's own. Throws `ConfigurationError`.
 */
export async function writeSecretFile(path: string, content: string, mark: string): Promise<void> {
  const existing = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new ConfigurationError(`The file ${path} cannot be read, and is not overwritten.`);
  });
  if (existing !== null && !existing.startsWith(mark)) {
    throw new ConfigurationError(
      `The file ${path} was not written by diaspora-logger, and is not overwritten: move it, or choose another directory with --out.`,
    );
  }
  try {
    // An existing file keeps its mode when it is replaced.
    if (existing !== null) await chmod(path, 0o600);
    await replaceFile(path, content, 0o600);
  } catch (error) {
    throw new ConfigurationError(`The file ${path} cannot be written (${reasonOf(error)}).`);
  }
}
