/** Shows an address and reads one line: on a terminal, over ssh, or from a pipe. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { AuthenticationError } from '../errors.ts';

/** Writes the address to `output` and answers the first line of `input`; an empty string at its end. */
export async function promptForCode(
  authorizeUrl: string,
  input: Readable & { isTTY?: boolean } = process.stdin,
  output: Writable = process.stdout,
): Promise<string> {
  output.write(
    `Open this address in a browser, sign in, and copy the code that it shows:\n\n${authorizeUrl}\n\n`,
  );
  return new Promise((resolve, reject) => {
    const terminal = input.isTTY === true;
    const lines = createInterface({ input, output, terminal });
    lines.setPrompt('Enter the code: ');
    lines.prompt();
    let answered = false;
    lines.once('line', (line) => {
      answered = true;
      resolve(line);
      lines.close();
    });
    // At a terminal Ctrl-C comes as a character; elsewhere it ends the process by itself.
    lines.once('SIGINT', () => {
      reject(new AuthenticationError('INTERRUPTED', 'Interrupted.', false));
      lines.close();
    });
    lines.once('close', () => {
      // What comes next begins a line of its own: only a terminal shows the person's own line end.
      if (!terminal || !answered) output.write('\n');
      resolve('');
    });
    input.once('error', () => resolve(''));
  });
}
