/** Modules that options name. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigurationError, systemErrorCode } from '../errors.ts';
import { looksLikePath } from './refusal.ts';

/** URL of a module named by path, file URL or package name, as seen from the working directory. Throws `ConfigurationError`. */
export function moduleUrl(option: string, specifier: string): string {
  if (specifier.startsWith('file:')) return specifier;
  const isPath = specifier.startsWith('.') || resolve(specifier) === specifier;
  try {
    const require = createRequire(join(process.cwd(), 'noop.js'));
    return pathToFileURL(require.resolve(isPath ? resolve(specifier) : specifier)).href;
  } catch (error) {
    // A package that is there: Node resolves for `import` only from the importing module's own place.
    if (systemErrorCode(error) === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
      throw new ConfigurationError(
        `Option "${option}": ${JSON.stringify(specifier)} cannot be named by its package, which exports nothing by that name to require(): name its file by path, such as "./node_modules/…".`,
        option,
        { cause: error },
      );
    }
    // A token may stand where the module that makes one belongs.
    const hidden = option === 'auth.module' && !looksLikePath(specifier);
    const name = hidden ? 'of the given name' : JSON.stringify(specifier);
    throw new ConfigurationError(
      `Option "${option}": no module ${name} is found from ${process.cwd()}.`,
      option,
    );
  }
}
