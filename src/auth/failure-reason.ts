/** What can be said of a failure of the file system or of SQLite. */
import { systemErrorCode } from '../errors.ts';

/** The system's error code, or the message of an error that cannot hold a token. */
export function reasonOf(error: unknown): string {
  return systemErrorCode(error) ?? (error instanceof Error ? error.message : 'unknown error');
}
