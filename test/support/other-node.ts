/** Other versions of Node than the one that runs the tests, from npm's packages of its binaries. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const cacheDirectory = fileURLToPath(new URL('../../.cache/', import.meta.url));

/**
 * Path of the binary of this major version's newest release. The first call in a checkout fetches it
 * with npm; several processes may ask at once.
 */
export async function otherNode(major: number): Promise<string> {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const directory = join(cacheDirectory, `node-${major}`);
  const binary = join(directory, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  await mkdir(cacheDirectory, { recursive: true });
  const unfinished = await mkdtemp(join(cacheDirectory, 'unfinished-'));
  const flags = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
  const install = ['install', '--prefix', unfinished, ...flags, `${name}@${major}`];
  await promisify(execFile)('npm', install);
  await rename(unfinished, directory).catch(async (error: unknown) => {
    // Somebody else was faster: theirs is as good.
    await rm(unfinished, { recursive: true });
    if (!existsSync(binary)) throw error;
  });
  return binary;
}
