/** What the command line's exit codes mean. */
import { CommanderError } from 'commander';
import type { DiagnosticCode, diagnosticCodes } from '../diagnostics.ts';
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

type CodeOf<Event> = {
  [Code in DiagnosticCode]: (typeof diagnosticCodes)[Code] extends Event ? Code : never;
}[DiagnosticCode];

const { refused, unavailable } = exitCodes;

/** One table for commands that end with an error and for those that wait meanwhile: both exit with the same. */
const byCode: ReadonlyMap<string, number> = new Map(
  Object.entries({
    BROKER_UNREACHABLE: unavailable,
    BROKER_HOST_UNKNOWN: unavailable,
    BROKER_NOT_TLS: unavailable,
    BROKER_WANTS_TLS: unavailable,
    BROKER_CERTIFICATE_REFUSED: unavailable,
    CLIENT_CERTIFICATE_REFUSED: refused,
    SIGN_IN_REFUSED: refused,
    BROKER_TOO_OLD: unavailable,
    PROTOCOL_VIOLATION: unavailable,
    CONNECTION_LOST: unavailable,
    BROKER_THROTTLED: unavailable,
    REQUEST_TIMED_OUT: unavailable,
    TOPIC_WRITE_DENIED: refused,
    TOKEN_ENDPOINT_UNAVAILABLE: unavailable,
    TOKEN_REFUSED_BY_BROKER: refused,
    TOKEN_REQUEST_REFUSED: refused,
    TOKEN_MODULE_FAILED: unavailable,
    REFRESH_TOKEN_INVALID: refused,
    CREDENTIALS_MISSING: refused,
    SERVICE_UNAVAILABLE: unavailable,
    SERVICE_REFUSED: refused,
    SERVICE_KEY_REFUSED: refused,
    AWS_CREDENTIALS_FAILED: unavailable,
  } satisfies Record<CodeOf<'disconnected' | 'token-rejected'>, number> &
    Partial<Record<DiagnosticCode, number>>),
);

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
  if (error instanceof AuthenticationError && error.code === 'INTERRUPTED') {
    return exitCodes.interrupted;
  }
  if (error instanceof AuthenticationError || error instanceof ServiceError) {
    return byCode.get(error.code) ?? (error.retriable ? unavailable : refused);
  }
  if (error instanceof ConnectionError) return byCode.get(error.code) ?? unavailable;
  if (error instanceof BrokerError) {
    if (error.code.endsWith('_AUTHORIZATION_FAILED')) return refused;
    return error.retriable ? unavailable : exitCodes.failed;
  }
  return exitCodes.failed;
}

/** `trouble`: what kept a command waiting that ends before it has passed. */
export function exitCodeOfTrouble(trouble: DiagnosticCode): number {
  return byCode.get(trouble) ?? exitCodes.failed;
}
