/** What several failed checks make `doctor` exit with: each has the code that another command would end with. */
import { exitCodes } from '../exit-codes.ts';

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
