/** What a failed check makes `doctor` exit with. */
import { DiasporaError } from '../../errors.ts';
import { exitCodeOf, exitCodes } from '../exit-codes.ts';

/** What another command counts as out of reach, and what only other options mend. */
const misconfigured: ReadonlySet<string> = new Set([
  'BROKER_HOST_UNKNOWN',
  'BROKER_NOT_TLS',
  'BROKER_WANTS_TLS',
  'BROKER_CERTIFICATE_REFUSED',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

export function exitStatusOf(error: unknown): number {
  if (error instanceof DiasporaError && misconfigured.has(error.code)) return exitCodes.usage;
  if (error instanceof DiasporaError && error.code === 'CLIENT_CERTIFICATE_REFUSED') {
    return exitCodes.refused;
  }
  return exitCodeOf(error);
}

/** The worst first: what will not mend itself, and nearest to home. */
const worstFirst: readonly number[] = [
  exitCodes.usage,
  exitCodes.refused,
  exitCodes.unavailable,
  exitCodes.failed,
];

export function worstOf(statuses: readonly number[]): number {
  return worstFirst.find((status) => statuses.includes(status)) ?? exitCodes.ok;
}
