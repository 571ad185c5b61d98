/** `diaspora-logger audit`: proves from a topic's records that none is lost, repeated or out of order. */
import { Command, InvalidArgumentError } from 'commander';
import type { ConsumedRecord, TopicReader } from '../consume/read-topic.ts';
import type { Reading } from './audit/audit-topic.ts';
import { addConnectionFlags, type ConnectionFlags, optionsFrom } from './connection-flags.ts';
import { exitCodes, exitCodesHelp, SilentExit } from './exit-codes.ts';
import { printJson } from './output.ts';
import { requiredTopic } from './topic-name.ts';

interface Flags extends ConnectionFlags {
  readonly topic?: string;
  readonly from: string;
  readonly expect?: number;
  readonly limit: number;
  readonly json?: boolean;
}

const description = `Prove that no record of a topic is lost, repeated or out of order.

Records that are written with sourceHeaders: true, or by "ship --source-headers", carry the id of what wrote them and a
number that counts up from 0. The topic is read from its beginning to its present end, and each source's numbers are
compared. Nothing is committed, and no consumer group is left behind.`;

const explanation = `
What counts: a number that is missing below a source's highest is lost; one that is there again is repeated. Within a
partition numbers must rise. Across partitions they need not: records without a key go to one partition after the other,
a batch at a time. What is missing behind a source's highest number cannot be seen: --expect tells how many there should be.

Examples:
  diaspora-logger audit app-logs
  diaspora-logger audit app-logs --from -1h --json
  diaspora-logger audit archive --expect 1000000
`;

export function auditCommand(): Command {
  const command = new Command('audit')
    .description(description)
    .argument('[topic]', 'Kafka topic (default: DIASPORA_TOPIC)')
    .option('--topic <name>', 'the same, as a flag')
    .option(
      '--from <place>',
      'where to begin: earliest, -1h, 2026-01-01T00:00Z (default: earliest)',
      'earliest',
    )
    .option(
      '--expect <records>',
      'fail unless there are so many different ones with a number',
      whole,
    )
    .option('--limit <faults>', 'list so many of each kind a source; all are counted', whole, 20)
    .option('--json', 'print one JSON object');
  return addConnectionFlags(command)
    .addHelpText('after', explanation)
    .addHelpText('after', `${exitCodesHelp} Of "audit", 1 also means that the topic is not clean.`)
    .action(run);
}

async function run(argument: string | undefined, flags: Flags): Promise<void> {
  const { connection, routing } = optionsFrom(flags);
  const topic = requiredTopic({ argument, flags, routing, env: process.env }, 'audit');
  const { parseFrom } = await import('./tail/place.ts');
  const from = parseFrom(flags.from);
  const { openTopic } = await import('../consume/read-topic.ts');
  const { auditTopic } = await import('./audit/audit-topic.ts');
  const { asJson, inWords, isClean, numbered } = await import('./audit/report.ts');
  const interrupted = new AbortController();
  const onInterrupt = (): void => interrupted.abort();
  process.once('SIGINT', onInterrupt);
  const { signal } = interrupted;
  const open = async (): Promise<Reading> => {
    let isWhole = true;
    const onCut = (): void => {
      isWhole = false;
    };
    const reader = await openTopic({ ...connection, topic }, { from, to: 'end', signal, onCut });
    return {
      partitions: reader.partitions,
      records: () => recordsOf(reader),
      isWhole: () => isWhole,
    };
  };
  const audit = await auditTopic(open, {
    limit: flags.limit,
    since: typeof from === 'object' ? from.time : null,
  }).catch((error: unknown) => {
    throw signal.aborted ? new SilentExit(exitCodes.interrupted) : error;
  });
  process.off('SIGINT', onInterrupt);
  // What was read by then proves nothing.
  if (signal.aborted) throw new SilentExit(exitCodes.interrupted);
  if (flags.json) printJson(asJson(topic, audit));
  else process.stdout.write(inWords(topic, audit));
  const found = numbered(audit);
  const isAsExpected = flags.expect === undefined || flags.expect === found;
  if (!isAsExpected) {
    process.stderr.write(
      `diaspora-logger: expected ${flags.expect} different records with a number, found ${found}.\n`,
    );
  }
  if (!isClean(audit) || !isAsExpected) throw new SilentExit(exitCodes.failed);
}

/** To its end, and then out of the group. */
async function* recordsOf(reader: TopicReader): AsyncGenerator<ConsumedRecord> {
  try {
    yield* reader.records();
  } finally {
    await reader.close();
  }
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}
