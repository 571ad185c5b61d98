/** `diaspora-logger tail`: shows the records of a topic. */
import { Command } from 'commander';
import { waitedFor } from '../auth/waited-for.ts';
import { systemErrorCode } from '../errors.ts';
import { addConnectionFlags } from './connection-flags.ts';
import { exitCodes, exitCodesHelp, SilentExit } from './exit-codes.ts';
import type { Form } from './tail/forms.ts';
import type { TailFlags, TailPlan } from './tail/plan.ts';
import type { PrintedOutput } from './tail/printed-output.ts';
import type { Source } from './tail/sources.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

/** 128 + SIGTERM, as shells have it. */
const terminated = 143;

const help = `
Examples:
  diaspora-logger tail app-logs                          what comes from now on
  diaspora-logger tail app-logs --from -1h --level warn  warnings and worse of the last hour, and on
  diaspora-logger tail app-logs --from earliest --until end --json > all.ndjson
  diaspora-logger tail app-logs --grep '/timed? ?out/i' --header service=api -n 10
  diaspora-logger tail app-logs --group night-shift | ./store

On a terminal records are made readable. In a pipe or file each is a line, its value as it is;
--json adds partition, offset, timestamp, key and headers. Everything else goes to stderr.
`;

export function tailCommand(): Command {
  const command = new Command('tail')
    .description('Show the records of a topic: live, or from any place on.')
    .argument('[topic]', 'what to read (default: DIASPORA_TOPIC)')
    .option('--topic <name>', 'the same, as a flag')
    .option(
      '--from <place>',
      'earliest, now, -1h (s, m, h, d, w), 2026-01-01T00:00Z, or milliseconds',
      'now',
    )
    .option('--until <place>', 'end (of what there is now), or a time as above (default: go on)')
    .option('-n, --count <number>', 'end after so many records that pass the filters')
    .option('--level <level>', 'that level or above: names of Pino and Winston, or a number')
    .option('--key <text>', 'only records with this key')
    .option('--header <name=value>', 'only records with this header (several: all of them)', gather)
    .option(
      '--grep <text>',
      'only records with this text, or /regular expression/i (several: all)',
      gather,
    )
    .option('--json', 'one JSON object a line, with partition, offset, timestamp, key and headers')
    .option('--group <id>', 'read as a member of this consumer group, from where it was')
    .option(
      '--commit-after-print',
      'with --group, commits what was printed and nothing else: it always does',
    )
    .option('--quiet', 'no news on stderr');
  return addConnectionFlags(command)
    .addHelpText('after', help + exitCodesHelp)
    .action(run);
}

const gather = (value: string, before: readonly string[] = []): string[] => [...before, value];

async function run(topic: string | undefined, flags: TailFlags): Promise<void> {
  const { planOf } = await import('./tail/plan.ts');
  const plan = planOf(topic, flags, { env: process.env, now: Date.now() });
  const interruption = new Interruption();
  try {
    await waitedFor(tail(plan, flags, interruption));
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
  } finally {
    interruption.forget();
  }
  if (interruption.signal.aborted) throw new SilentExit(interruption.exitCode);
}

/** Ends without an error once it is interrupted. */
async function tail(plan: TailPlan, flags: TailFlags, interruption: Interruption): Promise<void> {
  const [{ openSource }, { PrintedOutput }, { formFor }, { news, sayDiagnostics }] =
    await Promise.all([
      import('./tail/sources.ts'),
      import('./tail/printed-output.ts'),
      import('./tail/forms.ts'),
      import('./tail/news.ts'),
    ]);
  const say = news(flags);
  const counts = { read: 0, printed: 0 };
  const form = await formFor(process.stdout, flags);
  // In general the process ends where nobody reads its output any more: here, what was printed is to be committed first.
  process.stdout.removeAllListeners('error');
  const output = new PrintedOutput(process.stdout, interruption.signal);
  const stop = AbortSignal.any([interruption.signal, output.gone]);
  const source = await openSource(plan, stop);
  if (plan.saysTroubles) sayDiagnostics(counts);
  say.beginning(plan, source.partitions);
  try {
    await print({ plan, source, form, output, stop }, counts);
  } finally {
    const isTaken = await output.finish();
    const isCommitted = await source.close();
    const { gone, hadEnough } = output;
    say.ending(counts, { isTaken, hadEnough, isCommitted });
    // Interrupted, and what nobody takes would keep the process alive.
    if (!isTaken && !gone.aborted) process.exit(interruption.exitCode);
  }
  if (output.gone.aborted && !output.hadEnough) {
    throw new Error(`The output cannot be written (${systemErrorCode(output.gone.reason)}).`);
  }
}

interface Printing {
  readonly plan: TailPlan;
  readonly source: Source;
  readonly form: Form;
  readonly output: PrintedOutput;
  readonly stop: AbortSignal;
}

async function print(
  { plan, source, form, output, stop }: Printing,
  counts: { read: number; printed: number },
): Promise<void> {
  const [{ byTime }, { contentOf }] = await Promise.all([
    import('./tail/by-time.ts'),
    import('./tail/record-content.ts'),
  ]);
  for await (const record of byTime(source.records(), source)) {
    if (stop.aborted) return;
    counts.read += 1;
    const passed = { partition: record.partition, done: () => source.done(record) };
    const content = contentOf(record.value);
    const text = plan.passes(record, content) ? form(record, content) : null;
    if (text === null) {
      output.skip(passed);
      continue;
    }
    await output.write(text, passed);
    counts.printed += 1;
    if (counts.printed >= plan.count) return;
  }
}

/** Ctrl-C, and a polite end by SIGTERM: what was read is settled first. The second one ends at once. */
class Interruption {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.signal.aborted) process.exit(this.exitCode);
    this.exitCode = name === 'SIGINT' ? exitCodes.interrupted : terminated;
    this.#controller.abort();
  };
  exitCode: number = exitCodes.interrupted;

  constructor() {
    for (const name of signals) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  forget(): void {
    for (const name of signals) process.off(name, this.#onSignal);
  }
}
