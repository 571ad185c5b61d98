/** Runs the built command line as its users do: as a process, in a shell, or at a terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** No command of a test takes so long, in milliseconds: one that hangs does not outlive the tests. */
const timeoutMs = 300_000;

export type Env = Readonly<Record<string, string>>;

export interface CommandEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  readonly out: string;
  readonly err: string;
  readonly ended: Promise<CommandEnd>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves once it has written this, to either stream; rejects when it ends before. */
  said(words: string): Promise<void>;
}

export interface CommandOptions {
  /** Beside PATH: nothing of the tests' own environment comes in. */
  readonly env?: Env;
  readonly cwd?: string;
  readonly input?: string;
  /** Its input is a pipe that the test writes to, by `child.stdin`, and ends. */
  readonly openInput?: boolean;
}

/** `diaspora-logger …` with its streams in pipes. Disposing kills it, where it has not ended. */
export function startCommand(
  args: readonly string[],
  options: CommandOptions = {},
): RunningCommand {
  return follow(process.execPath, [commandLine, ...args], options);
}

/** To its end. */
export function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandEnd> {
  return startCommand(args, options).ended;
}

/** A line for a shell in which `diaspora-logger` is the command; the exit code is that of the first part of a pipe. */
export function startShell(line: string, options: CommandOptions = {}): RunningCommand {
  const script = `diaspora-logger() { "${process.execPath}" "${commandLine}" "$@"; }\n${line}\nexit "\${PIPESTATUS[0]}"`;
  return follow('bash', ['-c', script], options);
}

/** At a terminal: what it writes, to either stream, is `out`. */
export function startAtTerminal(
  args: readonly string[],
  options: CommandOptions = {},
): RunningCommand {
  const quoted = [process.execPath, commandLine, ...args].map(
    (arg) => `'${arg.replaceAll("'", "'\\''")}'`,
  );
  // util-linux's script(1): a pseudo-terminal, and the command's own exit code.
  return follow('script', ['-qec', quoted.join(' '), '/dev/null'], {
    ...options,
    env: { TERM: 'xterm-256color', ...options.env },
  });
}

function follow(
  program: string,
  args: readonly string[],
  { env = {}, cwd, input, openInput = false }: CommandOptions,
): RunningCommand {
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  const child = spawn(program, args, {
    cwd,
    env: { PATH, ...env },
    stdio: [input === undefined && !openInput ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  // A command that has ended takes no more input.
  child.stdin?.on('error', () => undefined);
  if (!openInput) child.stdin?.end(input);
  const said = { out: '', err: '' };
  const news = new EventEmitter<{ said: [] }>();
  for (const [name, stream] of [
    ['out', child.stdout],
    ['err', child.stderr],
  ] as const) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk;
      news.emit('said');
    });
  }
  const ended = once(child, 'close').then(
    (): CommandEnd => ({ code: child.exitCode, signal: child.signalCode, ...said }),
  );
  return {
    child,
    get out() {
      return said.out;
    },
    get err() {
      return said.err;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    async said(words) {
      const tooEarly = ended.then((end) => {
        throw new Error(`It ended before it said "${words}": ${JSON.stringify(end)}`);
      });
      // Nobody waits for it once the words have come.
      tooEarly.catch(() => undefined);
      while (!said.out.includes(words) && !said.err.includes(words)) {
        await Promise.race([once(news, 'said'), tooEarly]);
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
