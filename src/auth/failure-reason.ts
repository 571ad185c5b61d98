/** What can be said of a failure of the file system or of SQLite. */

/** The system's error code, or the message of an error that cannot hold a token. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
