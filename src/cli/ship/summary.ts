/** What became of the input: for a person, for a program, and as an exit code. */
import type { DiagnosticCode } from '../../diagnostics.ts';
import { exitCodeOfTrouble, exitCodes } from '../exit-codes.ts';

/** What `--json` prints. */
export interface Summary {
  readonly topic: string;
  /** Of the lines that were read, those that became records. */
  readonly records: number;
  /** That were read. */
  readonly bytes: number;
  readonly acknowledged: number;
  /** Of those acknowledged, how many may be in the topic twice. */
  readonly possiblyRepeated: number;
  readonly deadLettered: number;
  /** Given up, and kept nowhere: larger than the buffer, or refused by the brokers without `--dead-letter`. */
  readonly dropped: number;
  /** Not acknowledged when time was up. Some may be stored all the same. */
  readonly unresolved: number;
  readonly seconds: number;
  /** Value of the header `source-id`; null without `--source-headers`. */
  readonly sourceId: string | null;
  /** Inputs that could not be read to their end, with the reason. */
  readonly unread: readonly string[];
  /** What ended it before; null where it came to the end of its input. */
  readonly signal: string | null;
}

function isComplete(summary: Summary): boolean {
  return summary.acknowledged === summary.records && summary.unread.length === 0;
}

/** One line. */
export function inWords(summary: Summary): string {
  const { topic, records, bytes, acknowledged, seconds, signal, possiblyRepeated } = summary;
  const amount = `${grouped(records)} ${records === 1 ? 'record' : 'records'} (${(bytes / 1e6).toFixed(1)} MB)`;
  const cut = signal === null ? '' : `ended by ${signal}: `;
  const took = `in ${seconds.toFixed(1)} s`;
  const repeated =
    possiblyRepeated === 0 ? '' : ` ${grouped(possiblyRepeated)} of them may be stored twice.`;
  if (records === acknowledged) {
    return `diaspora-logger: ${cut}${amount} shipped to topic ${topic} ${took}, all acknowledged.${repeated}`;
  }
  const others = [
    [summary.unresolved, 'not delivered'],
    [summary.deadLettered, 'in the dead letters'],
    [summary.dropped, 'dropped'],
  ] as const;
  const rest = others
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${grouped(count)} ${what}`);
  return `diaspora-logger: ${cut}of ${amount} for topic ${topic}, ${grouped(acknowledged)} acknowledged, ${rest.join(', ')}, ${took}.${repeated}`;
}

/** `trouble`: what was said last of why records wait. */
export function exitCodeFor(summary: Summary, trouble: DiagnosticCode | null): number {
  if (isComplete(summary)) return exitCodes.ok;
  if (summary.unresolved > 0 && trouble !== null) return exitCodeOfTrouble(trouble);
  return exitCodes.failed;
}

const grouped = (count: number): string => count.toLocaleString('en');
