/** Modules that options name: packages and paths, as seen from the working directory. */
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { moduleUrl } from '../../../src/options/module-url.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

/** A package of this name in a directory that is worked in until the test ends; answers its file. */
function installed(name: string, exports: object): string {
  const directory = realpathSync(temporaryDirectory());
  const place = join(directory, 'node_modules', name);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name, type: 'module', exports }));
  writeFileSync(join(place, 'index.js'), 'export default () => {};');
  const spy = vi.spyOn(process, 'cwd').mockReturnValue(directory);
  onTestFinished(() => spy.mockRestore());
  return join(place, 'index.js');
}

it('A package is found by its name', () => {
  const file = installed('some-package', { default: './index.js' });
  expect(moduleUrl('transform', 'some-package')).toBe(pathToFileURL(file).href);
});

it.each(['transform', 'auth.module'])(
  'A package that is for import alone is asked for by its path, which does: %s',
  (option) => {
    const file = installed('import-only', { import: './index.js' });
    expect(() => moduleUrl(option, 'import-only')).toThrow(ConfigurationError);
    expect(() => moduleUrl(option, 'import-only')).toThrow(
      `Option "${option}": "import-only" cannot be named by its package, which exports nothing by that name to require(): name its file by path, such as "./node_modules/…".`,
    );
    expect(moduleUrl(option, file)).toBe(pathToFileURL(file).href);
  },
);
