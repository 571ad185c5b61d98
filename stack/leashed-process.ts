/** A process that cannot outlive this one, however this one ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * Starts the program, tells its process id on stdout, and waits for it. The shell's stdin is a pipe
 * that nobody writes to: it ends when the parent does, by SIGKILL too, and a stopped program takes
 * a SIGKILL as well as a running one. `read` is the shell's own: nothing is left when it is killed.
 */
const leash = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
echo "$program"
exec >&2
( read -r _ <&3; kill -9 "$program" ) 2>/dev/null &
watcher=$!
wait "$program"
code=$?
kill "$watcher"
exit "$code"
`;

/** A running program, and how it ends. */
export interface LeashedProcess {
  readonly pid: number;
  /** Settles when it has ended, with its exit code as a shell tells it: 128 + n for signal n. */
  readonly ended: Promise<number>;
}

/** `outputFile`: descriptor of the file that takes stdout and stderr; the caller may close it afterwards. */
export async function startLeashed(
  program: string,
  args: readonly string[],
  outputFile: number,
): Promise<LeashedProcess> {
  const shell = spawn('sh', ['-c', leash, 'leash', program, ...args], {
    stdio: ['pipe', 'pipe', outputFile],
    // Out of the terminal's foreground group: Ctrl-C reaches this process alone, which then stops the program.
    detached: true,
  });
  const ended = endOf(shell);
  const { stdin, stdout } = shell;
  if (!stdin || !stdout) throw new Error('The shell has no pipes.');
  stdin.on('error', () => {});
  const lines = createInterface({ input: stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    ended.then((code) => {
      throw new Error(`${program} could not be started: the shell ended with ${code}.`);
    }),
  ]);
  lines.close();
  return {
    pid: Number(line),
    ended: ended.finally(() => stdin.destroy()),
  };
}

async function endOf(child: ChildProcess): Promise<number> {
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 137;
}
