/** What `tail` says beside the records, on stderr. */
import { subscribe } from 'node:diagnostics_channel';
import { isLastingFault } from '../../consume/first-failure.ts';
import type { PartitionRange } from '../../consume/read-topic.ts';
import { diagnosticsChannelName, isDiagnosticEvent, stderrSink } from '../../diagnostics.ts';
import type { TailPlan } from './plan.ts';

/** What has gone by so far. */
export interface Counts {
  read: number;
  printed: number;
}

export interface Ending {
  /** Whether the system has taken all that was printed. */
  readonly isTaken: boolean;
  /** Whether the reader of a pipe had enough before that: it knows. */
  readonly hadEnough: boolean;
  /** Whether the group has committed all that was taken: null without a group. */
  readonly isCommitted: boolean | null;
}

export interface News {
  beginning(plan: TailPlan, partitions: readonly PartitionRange[]): void;
  ending(counts: Counts, end: Ending): void;
}

export function news({ quiet }: { readonly quiet?: boolean }): News {
  const say = (line: string): void => void process.stderr.write(`diaspora-logger: ${line}\n`);
  return {
    beginning(plan, partitions) {
      if (!quiet) say(beginningOf(plan, partitions));
    },
    ending({ read, printed }, { isTaken, hadEnough, isCommitted }) {
      const isLeft = !isTaken && !hadEnough;
      const left = isLeft ? ' The last of it was not taken by whoever reads the output.' : '';
      const committed = isCommitted === null ? '' : committedText(isCommitted, isTaken);
      if (!quiet || isLeft || isCommitted === false)
        say(`${read} records read, ${printed} printed.${left}${committed}`);
    },
  };
}

function committedText(isCommitted: boolean, isTaken: boolean): string {
  if (!isCommitted) return ' What was printed last is not committed: it comes again.';
  return isTaken
    ? ' What was printed is committed.'
    : ' What was taken is committed: the rest comes again.';
}

function beginningOf({ topic, reading }: TailPlan, partitions: readonly PartitionRange[]): string {
  const many = partitions.length === 1 ? '1 partition' : `${partitions.length} partitions`;
  const what = `Reading topic ${topic} (${many})`;
  if (reading.group !== null) return `${what} as a member of group ${reading.group}. Ctrl-C ends.`;
  if (reading.from === 'latest') return `${what} from now on. Ctrl-C ends.`;
  const waiting = partitions.reduce((sum, { start, end }) => sum + (end - start), 0n);
  const goesOn = reading.to === undefined ? ', then what comes. Ctrl-C ends.' : '.';
  return `${what}: about ${waiting} records${goesOn}`;
}

/**
 * The package's own lines. One is left out as long as nothing was read: the fault that ends the command, which says it itself.
 */
export function sayDiagnostics(counts: Counts): void {
  const sink = stderrSink();
  subscribe(diagnosticsChannelName, (message) => {
    if (isDiagnosticEvent(message) && !(counts.read === 0 && isLastingFault(message)))
      sink(message);
  });
}
