/** What the command line's exit codes mean. */
import { CommanderError } from 'commander';
import { AuthenticationError, ConfigurationError } from '../errors.ts';

const exitCodes = {
  ok: 0,
  /** Something else failed. */
  failed: 1,
  /** Wrong arguments or options. */
  usage: 2,
  /** No sign-in: no code, a wrong or stale one, consent refused. */
  refused: 3,
  /** Globus Auth cannot be reached: later it may work. */
  unavailable: 4,
  /** Ctrl-C: 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

/** For `--help`. */
export const exitCodesHelp: string = `
Exit codes: ${exitCodes.ok} done; ${exitCodes.failed} failed; ${exitCodes.usage} wrong arguments; ${exitCodes.refused} not signed in (no code, a wrong or stale one, consent refused); ${exitCodes.unavailable} Globus Auth cannot be reached; ${exitCodes.interrupted} interrupted.`;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof ConfigurationError) return exitCodes.usage;
  if (error instanceof AuthenticationError) {
    if (error.code === 'INTERRUPTED') return exitCodes.interrupted;
    return error.retriable ? exitCodes.unavailable : exitCodes.refused;
  }
  return exitCodes.failed;
}
