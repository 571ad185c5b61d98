/** Python with the packages that its users have: an environment of the checkout's, made once. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cacheDirectory = fileURLToPath(new URL('../../.cache/', import.meta.url));

/** What the pinned packages need, as `diaspora-event-sdk` 0.5.1 says. */
const oldestPython = [3, 10] as const;

/** Both modules come with Python, but Debian has the second one in a package of its own. */
const aboutPython = `
import ensurepip, json, sys, venv
print(json.dumps({"version": sys.version_info[:2], "build": sys.version + sys.executable}))`;

/** Python is missing, too old, or without what makes environments. The message is one line that says how to get it. */
class MissingPythonError extends Error {
  override readonly name = 'MissingPythonError';
}

/**
 * Path of a Python interpreter that has the packages of a requirements file beside this one. The first call in a
 * checkout installs them with pip; several processes may ask at once.
 *
 * @throws MissingPythonError where there is no Python 3.10 or newer that makes environments.
 */
export async function pythonWith(
  requirements: 'requirements.txt' | 'requirements-v1.txt',
): Promise<string> {
  const file = fileURLToPath(new URL(requirements, import.meta.url));
  const build = await requirePython();
  // An environment belongs to the interpreter that made it, too.
  const digest = createHash('sha256')
    .update(await readFile(file))
    .update(build)
    .digest('hex');
  const directory = join(cacheDirectory, `python-${digest.slice(0, 12)}`);
  const python = join(directory, 'bin', 'python');
  if (existsSync(python)) return python;
  await mkdir(cacheDirectory, { recursive: true });
  const unfinished = await mkdtemp(join(cacheDirectory, 'unfinished-'));
  try {
    await run('python3', ['-m', 'venv', unfinished]);
    // Wheels alone: what must be compiled would ask for a compiler, in the middle of its output.
    const flags = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--no-deps'];
    const install = ['-m', 'pip', 'install', ...flags, '--requirement', file];
    await run(join(unfinished, 'bin', 'python'), install);
    await rename(unfinished, directory);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Somebody else was faster: theirs is as good.
    if (!existsSync(python)) throw error;
  }
  return python;
}

/** Answers which build of Python it is. */
async function requirePython(): Promise<string> {
  const { stdout } = await run('python3', ['-c', aboutPython]).catch((error: unknown) => {
    throw missing(error instanceof Error && /No module/.test(error.message) ? 'venv' : 'python3');
  });
  const { version, build } = JSON.parse(stdout);
  const [major, minor] = version;
  if (major === oldestPython[0] && minor >= oldestPython[1]) return build;
  throw missing(`a newer one than ${major}.${minor}`);
}

function missing(what: string): MissingPythonError {
  return new MissingPythonError(
    `Python ${oldestPython.join('.')} or newer with its module venv is needed: ${what} not found. Debian and Ubuntu: sudo apt-get install python3 python3-venv. macOS: brew install python.`,
  );
}
