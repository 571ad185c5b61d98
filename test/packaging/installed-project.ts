/** An empty project into which the packed package is installed, as a user has it. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const apps = fileURLToPath(new URL('apps', import.meta.url));

const programTimeoutMs = 60_000;
const installTimeoutMs = 180_000;

/** What `npm pack --json` says of a package. */
const packed = z.tuple([
  z.object({
    filename: z.string(),
    files: z.array(z.object({ path: z.string() })),
  }),
]);

/** What a program wrote, after it ended with 0. */
export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** A project outside the checkout, with the apps of `test/packaging/apps` in it. */
export class InstalledProject implements AsyncDisposable {
  readonly directory: string;
  /** Every file of the tarball, from the package's own directory. */
  readonly files: readonly string[];

  private constructor(directory: string, files: readonly string[]) {
    this.directory = directory;
    this.files = files;
  }

  /** Packs the checkout as it is built, and installs the tarball alone. */
  static async create(): Promise<InstalledProject> {
    const directory = await mkdtemp(join(await realpath(tmpdir()), 'diaspora-package-'));
    // The build is there: making it anew would pull it from under other tests.
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory];
    const { stdout } = await run('npm', pack, { cwd: root });
    const [{ filename, files }] = packed.parse(JSON.parse(stdout));
    await mkdir(join(directory, 'home'));
    await cp(apps, directory, { recursive: true });
    await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }');
    const project = new InstalledProject(
      directory,
      files.map(({ path }) => path),
    );
    await project.install(join(directory, filename));
    return project;
  }

  /** Path of a file of the package as installed. */
  packageFile(path: string): string {
    return join(this.directory, 'node_modules/diaspora-logger', path);
  }

  readPackageFile(path: string): Promise<string> {
    return readFile(this.packageFile(path), 'utf8');
  }

  async install(...packages: readonly string[]): Promise<void> {
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    await run('npm', ['install', ...flags, ...packages], {
      cwd: this.directory,
      timeout: installTimeoutMs,
    });
  }

  /** Runs a program in the project, with nothing in the environment but what is given. Rejects where it does not end with 0. */
  run(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Output> {
    const home = join(this.directory, 'home');
    const env = { PATH: process.env['PATH'], HOME: home, DIASPORA_USER_DIR: home, ...environment };
    return run(program, args, { cwd: this.directory, env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function run(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<Output> {
  const child = spawn(program, args, {
    timeout: programTimeoutMs,
    killSignal: 'SIGKILL',
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { stdout: out, stderr: err } = child;
  if (!out || !err) throw new Error('No pipes.');
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const [end, stdout, stderr] = await Promise.all([ended, text(out), text(err)]);
  if (end === 0) return { stdout, stderr };
  throw new Error(`${program} ${args.join(' ')} ended with ${end}:\n${stdout}${stderr}`);
}
