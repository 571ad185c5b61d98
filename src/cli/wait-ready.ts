/** `diaspora-logger wait-ready`: waits until one can produce and consume. */
import { Command, InvalidArgumentError } from 'commander';
import type { ReadyProgress } from '../ready/progress.ts';
import { addConnectionFlags, type ConnectionFlags, optionsFrom } from './connection-flags.ts';
import { exitCodes, exitCodesHelp, SilentExit } from './exit-codes.ts';
import { printJson } from './output.ts';

interface Flags extends ConnectionFlags {
  readonly maxMinutes: number;
  readonly topic?: string;
  readonly json?: boolean;
}

export function waitReadyCommand(): Command {
  return addConnectionFlags(new Command('wait-ready'), 'diaspora')
    .description('Wait until a new key works: write one record, and read it back.')
    .option('--max-minutes <n>', 'give up after so many minutes', minutes, 5)
    .option(
      '--topic <name>',
      "where the record goes (default: a topic of its own, with the service's key)",
    )
    .option('--json', 'print one JSON value on stdout')
    .addHelpText(
      'after',
      `
Unlike elsewhere the default is --auth diaspora: the service's key, which is made where there is none. A refusal by the
brokers is waited out, since a new key is refused until they know it; whether a key is new or wrong, time alone
tells.

Examples:
  $ diaspora-logger keys create && diaspora-logger wait-ready
  $ diaspora-logger wait-ready --auth globus --topic sensor_log --max-minutes 1
${exitCodesHelp}`,
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const [{ blockUntilReady }, { duration, progressLines, reasonOf }] = await Promise.all([
    import('../ready/block-until-ready.ts'),
    import('../ready/progress.ts'),
  ]);
  const { connection } = optionsFrom(flags, 'diaspora');
  const { maxMinutes, topic } = flags;
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.once('SIGINT', onInterrupt);
  const startedAt = performance.now();
  const lines = progressLines();
  let last: ReadyProgress | null = null;
  try {
    const isReady = await blockUntilReady({
      ...connection,
      maxMinutes,
      signal: interrupt.signal,
      onProgress: (progress) => {
        last = progress;
        lines(progress);
      },
      ...(topic !== undefined && { topic }),
    });
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const reason = isReady ? null : reasonOf(last);
    if (flags.json) printJson({ ready: isReady, seconds, reason });
    else if (isReady) process.stdout.write(`ready after ${duration(seconds * 1000)}\n`);
    if (isReady) return;
    process.stderr.write(
      `diaspora-logger: not ready within ${maxMinutes} min. The last try: ${reason}\n`,
    );
    throw new SilentExit(exitCodes.unavailable);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.stderr.write('diaspora-logger: Interrupted: not ready.\n');
    throw new SilentExit(exitCodes.interrupted);
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

function minutes(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value <= 1_440) return value;
  throw new InvalidArgumentError('It takes a number above 0 and up to 1,440.');
}
