/** The compiled package, as apps get it: by its own name, from any file of the checkout. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

/** Compiles the package, unless `dist` is newer than every source. Throws what the compiler says. */
export async function buildPackage(): Promise<void> {
  const [sources, output] = await Promise.all([
    lastChange(join(root, 'src')),
    lastChange(join(root, 'dist')).catch(() => 0),
  ]);
  if (sources < output) return;
  const npm = spawn('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'pipe' });
  const [said] = await Promise.all([text(npm.stdout), once(npm, 'close')]);
  if (npm.exitCode !== 0) throw new Error(`The package does not compile:\n${said}`);
}

async function lastChange(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const times = names
    .filter((name) => /\.(js|ts)$/.test(name))
    .map(async (name) => (await stat(join(directory, name))).mtimeMs);
  return Math.max(0, ...(await Promise.all(times)));
}

/** The file that a target of the package's name stands for. */
export function targetFile(target: 'diaspora-logger/pino'): string {
  return require.resolve(target);
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningApp {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the app has written this to stdout; rejects when it ends before. */
  said(words: string): Promise<void>;
  /** The same for stderr. */
  complained(words: string): Promise<void>;
}

/**
 * Starts a program of the checkout, by its path from the root. `node`: path of the Node that runs it.
 * `cwd`: its working directory, by default the one of the tests.
 */
export function startApp(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  node: string = process.execPath,
  cwd?: string,
): RunningApp {
  const child = spawn(node, [join(root, path), ...args], {
    cwd,
    env: { ...withoutDiaspora(process.env), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      written[name] += chunk;
    });
  }
  const ended = once(child, 'close').then((): Ended => {
    return { code: child.exitCode, signal: child.signalCode, ...written };
  });
  const wrote = async (name: 'stdout' | 'stderr', words: string): Promise<void> => {
    const tooEarly = ended.then((end) => {
      throw new Error(`${path} ended before it wrote "${words}": ${JSON.stringify(end)}`);
    });
    // Nobody waits for it once the words have come.
    tooEarly.catch(() => undefined);
    while (!written[name].includes(words)) {
      await Promise.race([once(child[name], 'data'), tooEarly]);
    }
  };
  return {
    pid: child.pid ?? -1,
    ended,
    kill: (signal) => void child.kill(signal),
    said: (words) => wrote('stdout', words),
    complained: (words) => wrote('stderr', words),
  };
}

/** Runs a program to its end. Throws what it wrote to stderr where it fails. */
export async function runApp(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  node: string = process.execPath,
): Promise<Ended> {
  const end = await startApp(path, args, env, node).ended;
  if (end.code !== 0)
    throw new Error(`${path} ended with ${end.code ?? end.signal}: ${end.stderr}`);
  return end;
}

function withoutDiaspora(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !name.startsWith('DIASPORA_') && name !== 'NODE_OPTIONS',
    ),
  );
}
