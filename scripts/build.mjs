/** `npm run build`: compiles src to dist, and removes from dist what src no longer has. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './setup.mjs';

const source = join(root, 'src');
const output = join(root, 'dist');

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
// Nothing is written on an error, so that the old build is seen to be old.
const args = [compiler, '--project', join(root, 'tsconfig.build.json'), '--noEmitOnError'];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;

// The compiler leaves files of removed sources behind, and they would be published.
// Not emptied before it runs: others may be using what is there.
if (status === 0) {
  for (const file of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
    const origin = join(source, file.replace(/(\.d\.ts|\.js)$/, '.ts'));
    if (!existsSync(origin)) rmSync(join(output, file), { recursive: true, force: true });
  }
}
