/** What the command line's exit codes mean. */
import { CommanderError } from 'commander';
import {
  AuthenticationError,
  BrokerError,
  ConfigurationError,
  ConnectionError,
  ServiceError,
} from '../errors.ts';

export const exitCodes = {
  ok: 0,
  /** Something else failed. */
  failed: 1,
  /** Wrong arguments or options. */
  usage: 2,
  /** No sign-in, or no right: no code, a wrong or stale one, consent refused, a topic of somebody else. */
  refused: 3,
  /** Globus, the service or the brokers cannot be reached: later it may work. */
  unavailable: 4,
  /** Ctrl-C: 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

/** For `--help`. */
export const exitCodesHelp: string = `
Exit codes: ${exitCodes.ok} done; ${exitCodes.failed} failed; ${exitCodes.usage} wrong arguments; ${exitCodes.refused} refused (not signed in, or no right to it); ${exitCodes.unavailable} not to be reached, later it may work; ${exitCodes.interrupted} interrupted.`;

/** A command that has said all and failed: nothing more is printed. */
export class SilentExit extends Error {
  override readonly name = 'SilentExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof SilentExit) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof ConfigurationError) return exitCodes.usage;
  if (error instanceof AuthenticationError) {
    if (error.code === 'INTERRUPTED') return exitCodes.interrupted;
    return error.retriable ? exitCodes.unavailable : exitCodes.refused;
  }
  if (error instanceof ConnectionError) {
    return error.code === 'CLIENT_CERTIFICATE_REFUSED' ? exitCodes.refused : exitCodes.unavailable;
  }
  if (error instanceof ServiceError)
    return error.retriable ? exitCodes.unavailable : exitCodes.refused;
  if (error instanceof BrokerError) {
    if (error.code.endsWith('_AUTHORIZATION_FAILED')) return exitCodes.refused;
    return error.retriable ? exitCodes.unavailable : exitCodes.failed;
  }
  return exitCodes.failed;
}
