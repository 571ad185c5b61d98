/** Asks a person before something is lost for good. */
import { createInterface } from 'node:readline';
import { AuthenticationError, ConfigurationError } from '../errors.ts';

/**
 * Asks on stderr, and takes `y` or `yes` for consent. Throws `ConfigurationError` where nobody can be asked, or consent is
 * refused; and `AuthenticationError` with code `INTERRUPTED` at Ctrl-C.
 *
 * @param warning What is about to happen: one or two sentences.
 */
export async function confirm(warning: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new ConfigurationError(`${warning} Say --yes where nobody can be asked.`, 'yes');
  }
  const answer = await ask(`${warning} Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new ConfigurationError('Nothing was changed.', 'yes');
}

function ask(question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    lines.question(question, (answer) => {
      resolve(answer);
      lines.close();
    });
    lines.once('SIGINT', () => {
      reject(new AuthenticationError('INTERRUPTED', 'Interrupted.', false));
      lines.close();
    });
    // End of input, such as Ctrl-D.
    lines.once('close', () => resolve(''));
  });
}
