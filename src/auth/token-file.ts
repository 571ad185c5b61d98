/** The file that holds a refresh token: read again at each refresh, and replaced when Globus replaces the token. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { within } from '../deadline.ts';
import { replaceFile } from './atomic-file.ts';

/** A refresh token has some hundred bytes. */
const maxBytes = 64 * 1024;

/** A mount that does not answer is given up after so many milliseconds. */
const defaultTimeoutMs = 10_000;

export class TokenFile {
  /** Absolute: the app may change its working directory. */
  readonly path: string;
  readonly #timeoutMs: number;
  #reading: Promise<string> | null = null;

  constructor(path: string, timeoutMs: number = defaultTimeoutMs) {
    this.path = resolve(path);
    this.#timeoutMs = timeoutMs;
  }

  /** The token, never empty. Throws the system's error, or one whose message says what is wrong with the file. */
  async read(): Promise<string> {
    // A read that hangs holds a thread of Node's pool of four: there is never a second one.
    this.#reading ??= readToken(this.path).finally(() => {
      this.#reading = null;
    });
    return within(this.#reading, {
      timeoutMs: this.#timeoutMs,
      late: () => new Error(`no answer within ${this.#timeoutMs} ms`),
    });
  }

  /** Writes `replacement` where `used` still stands, and answers whether it did: a token that somebody put there meanwhile stays. */
  async replace(used: string, replacement: string): Promise<boolean> {
    if ((await this.read()) !== used) return false;
    await replaceFile(this.path, `${replacement}\n`, 0o600);
    return true;
  }
}

async function readToken(path: string): Promise<string> {
  // Opened so, a FIFO does not wait for its writer. Windows has neither.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('it is no regular file');
    if (stats.size > maxBytes) throw new Error(`it is larger than ${maxBytes / 1024} KiB`);
    const token = (await file.readFile('utf8')).trim();
    if (token === '') throw new Error('it is empty');
    return token;
  } finally {
    await file.close();
  }
}
