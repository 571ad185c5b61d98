/** Writing a file that others may read at any moment: whole, or not at all. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chown, open, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemErrorCode } from '../errors.ts';

/**
 * Replaces a file's content. Its mode and owner stay; `newFileMode` is for a file that does not exist
 * yet. A symbolic link stays one. Throws the system's error.
 */
export async function replaceFile(
  path: string,
  content: string,
  newFileMode: number,
): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const existing = await stat(target).catch(() => null);
  const mode = existing === null ? newFileMode : existing.mode & 0o777;
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  const file = await open(temporary, flags, 0o600);
  try {
    await file.writeFile(content);
    await file.chmod(mode);
    await file.sync();
    await file.close();
    // Another owner's file stays theirs where this process may do that: as root.
    if (existing !== null) await chown(temporary, existing.uid, existing.gid).catch(() => {});
    await rename(temporary, target);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    // A file that is a mount point of its own, as containers have them, can be written but not replaced.
    if (systemErrorCode(error) !== 'EBUSY') throw error;
    await writeFile(target, content);
  }
}
