/** A lock on bytes of a file that the kernel releases when its process dies. */
import { type FileHandle, open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';

/** Bytes of a file: an offset and a length. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The part of fs-native-extensions that is used; it has no types of its own. */
interface NativeLocks {
  tryLock(fd: number, offset: number, length: number): boolean;
  unlock(fd: number, offset: number, length: number): void;
}

/** Milliseconds between attempts: holders keep the lock for milliseconds. */
const pollMs = 10;

/** Runs `action` while holding the lock. Throws `Error` when it is not free within `timeoutMs`. */
export async function withFileLock<T>(
  path: string,
  range: ByteRange,
  timeoutMs: number,
  action: () => T | Promise<T>,
): Promise<T> {
  const lock = await lockFile(path, range, timeoutMs);
  if (lock === null) {
    throw new Error(`another process has held the lock on ${path} for ${timeoutMs} ms`);
  }
  try {
    return await action();
  } finally {
    await lock.close();
  }
}

/**
 * The lock, which closing the file releases; null where it is not free within `timeoutMs`, or until `signal` ends the wait. A wait
 * with a signal keeps no process alive.
 */
export async function lockFile(
  path: string,
  { offset, length }: ByteRange,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<FileHandle | null> {
  const locks = nativeLocks();
  const file = await open(path, 'r+');
  try {
    const deadline = performance.now() + timeoutMs;
    while (!locks.tryLock(file.fd, offset, length)) {
      if (signal?.aborted || performance.now() >= deadline) {
        await file.close();
        return null;
      }
      await delay(pollMs, undefined, { ref: signal === undefined });
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Bun and Deno end the process where the addon asks for what they lack of libuv: Bun 1.4 at a lock that is held
 * (https://github.com/oven-sh/bun/issues/18546), Deno 2.9 as soon as it is loaded.
 */
function nativeLocks(): NativeLocks {
  if ('bun' in process.versions || 'deno' in process.versions) {
    throw new Error('its lock takes Node, not Bun or Deno');
  }
  const loaded: unknown = createRequire(import.meta.url)('fs-native-extensions');
  if (!isNativeLocks(loaded)) throw new Error('fs-native-extensions cannot be used');
  return loaded;
}

function isNativeLocks(value: unknown): value is NativeLocks {
  return typeof value === 'object' && value !== null && 'tryLock' in value && 'unlock' in value;
}
