/** What the command line asks of `tail`, checked as a whole. */
import type { Place, ReadTopicOptions } from '../../consume/read-topic.ts';
import { ConfigurationError } from '../../errors.ts';
import type { ConnectionOptions } from '../../options.ts';
import { type ConnectionFlags, optionsFrom } from '../connection-flags.ts';
import { requiredTopic } from '../topic-name.ts';
import { parseFrom, parseUntil } from './place.ts';
import { type FilterFlags, type RecordFilter, recordFilter } from './record-filter.ts';

export interface TailFlags extends ConnectionFlags, FilterFlags {
  readonly topic?: string;
  readonly from: string;
  readonly until?: string;
  readonly count?: string;
  readonly json?: boolean;
  readonly group?: string;
  readonly commitAfterPrint?: boolean;
  readonly quiet?: boolean;
}

/** Reading on one's own account, or as a member of a group. */
export type Reading =
  | {
      readonly group: null;
      readonly from: Place;
      readonly to: ReadTopicOptions['to'];
      /** `--until` where it is still to come, in milliseconds since the epoch. */
      readonly stopTime: number | null;
    }
  | {
      readonly group: string;
      readonly autoOffsetReset: 'earliest' | 'latest';
      readonly stopTime: null;
    };

export interface TailPlan {
  readonly connection: ConnectionOptions;
  /** Whether the package's diagnostics go to stderr. */
  readonly saysTroubles: boolean;
  readonly topic: string;
  readonly reading: Reading;
  readonly passes: RecordFilter;
  /** So many records are printed at most. */
  readonly count: number;
}

/** Throws `ConfigurationError`. */
export function planOf(
  topicArgument: string | undefined,
  flags: TailFlags,
  { env, now }: { readonly env: NodeJS.ProcessEnv; readonly now: number },
): TailPlan {
  const { connection, routing } = optionsFrom(flags);
  const { diagnostics = 'stderr' } = connection;
  const saysTroubles = diagnostics === 'stderr';
  return {
    // Said by the command itself, which leaves out what ends it: that is said by its error.
    connection: saysTroubles ? { ...connection, diagnostics: 'silent' } : connection,
    saysTroubles,
    topic: requiredTopic({ argument: topicArgument, flags, routing, env }, 'tail'),
    reading: readingOf(flags, now),
    passes: recordFilter(flags),
    count: countOf(flags.count),
  };
}

function countOf(flag: string | undefined): number {
  if (flag === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,14}$/.test(flag)) return Number(flag);
  throw new ConfigurationError(
    `--count takes a whole number from 1 on, got ${JSON.stringify(flag)}.`,
    'count',
  );
}

function readingOf(flags: TailFlags, now: number): Reading {
  const { group, commitAfterPrint = false } = flags;
  const from = parseFrom(flags.from, now);
  const until = flags.until === undefined ? undefined : parseUntil(flags.until, now);
  if (group === undefined) {
    if (commitAfterPrint)
      throw excluded('--commit-after-print needs --group: only groups have offsets to commit');
    const isToCome = typeof until === 'object' && until.time > now;
    return {
      group: null,
      from,
      to: isToCome ? undefined : until,
      stopTime: isToCome ? until.time : null,
    };
  }
  if (until !== undefined) {
    throw excluded('--until does not go with --group: a group goes on where it was');
  }
  if (typeof from !== 'string' || group === '') {
    throw excluded(
      'with --group, which needs a name, --from takes earliest or now: where the group begins that has committed nothing',
    );
  }
  return { group, autoOffsetReset: from === 'earliest' ? from : 'latest', stopTime: null };
}

function excluded(why: string): ConfigurationError {
  return new ConfigurationError(`${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
}
