/** Where a command takes a secret from: never from its arguments, which every user of the machine can read. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { AuthenticationError, ConfigurationError } from '../errors.ts';

/** A secret of any service is below this; what is larger was piped in by mistake. */
const longest = 4096;

/**
 * Reads it from the environment variable that is named, else from stdin: at a terminal it is typed, and not shown. Throws
 * `ConfigurationError` where there is none, or where it is more than one line; nothing of it is in the message.
 */
export async function readSecret(what: string, variable: string | undefined): Promise<string> {
  const found = variable === undefined ? await fromStdin(what) : (process.env[variable] ?? '');
  const secret = found.replace(/\r?\n$/, '');
  const from = variable === undefined ? 'standard input' : nameOf(variable);
  if (secret.trim() === '') {
    throw new ConfigurationError(`No ${what}: ${from} holds nothing.`, 'secret');
  }
  if (secret.length > longest || /[\p{Cc}]/u.test(secret)) {
    throw new ConfigurationError(`No ${what}: what ${from} holds is no line of text.`, 'secret');
  }
  return secret.trim();
}

/** The secret itself may have been given where its variable's name belongs. */
const nameOf = (variable: string): string =>
  /^[A-Z_][A-Z0-9_]{0,63}$/.test(variable)
    ? `the environment variable ${variable}`
    : 'the environment variable of the given name';

async function fromStdin(what: string): Promise<string> {
  if (process.stdin.isTTY) return typed(what);
  return text(process.stdin);
}

function typed(what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // Nothing that is typed comes back: readline takes the terminal's own echo away, and writes its own here.
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
    process.stderr.write(`${what} (is not shown): `);
    const end = (settle: () => void): void => {
      process.stderr.write('\n');
      settle();
      lines.close();
    };
    lines.once('line', (line) => end(() => resolve(line)));
    lines.once('SIGINT', () =>
      end(() => reject(new AuthenticationError('INTERRUPTED', 'Interrupted.', false))),
    );
    lines.once('close', () => resolve(''));
  });
}
