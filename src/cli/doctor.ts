/** `diaspora-logger doctor`: goes the whole way to a topic, and says at each step what is wrong and what to do. */
import { Command } from 'commander';
import { waitedFor } from '../auth/waited-for.ts';
import { addConnectionFlags } from './connection-flags.ts';
import type { DoctorFlags } from './doctor/configuration.ts';
import { exitCodes, SilentExit } from './exit-codes.ts';
import { coloursOf, printJson } from './output.ts';

/** Milliseconds that all checks may take together. */
const timeoutMs = 58_000;

const help = `
Looks at: Node, environment, options, token store, credentials, and with --auth diaspora the service and
its key; names, TCP and TLS of each broker, sign-in, the brokers that the cluster names; the topic, the
rights to it, one record there and back, and the clock. It takes a minute at most. Secrets are never shown.

The record of the round trip stays in the topic; its header diaspora-logger-doctor tells it from others.

Examples:
  diaspora-logger doctor                      with what the environment says, DIASPORA_TOPIC included
  diaspora-logger doctor app-logs --no-write
  diaspora-logger doctor --config logging.json --json | jq '.checks[] | select(.status == "failed")'

Exit codes: ${exitCodes.ok} nothing failed; else the worst of: ${exitCodes.usage} options that cannot be; ${exitCodes.refused} refused (not signed in, or no
right to it); ${exitCodes.unavailable} not to be reached, later it may work; ${exitCodes.failed} something else, such as a topic that is not there, or the clock.`;

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Find out why records do not get through, step by step.')
    .argument('[topic]', 'the topic to look at (default: DIASPORA_TOPIC)')
    .option('--topic <name>', 'the same, as a flag')
    .option('--no-write', 'write no record: leaves out the round trip')
    .option('--json', 'print one JSON object: checks with id, status, detail and advice');
  return addConnectionFlags(command).addHelpText('after', help).action(run);
}

async function run(topicArgument: string | undefined, flags: DoctorFlags): Promise<void> {
  const [{ Examination }, { examineAll }, report] = await Promise.all([
    import('./doctor/examination.ts'),
    import('./doctor/checks.ts'),
    import('./doctor/render.ts'),
  ]);
  const { stdout } = process;
  // A terminal that does not tell its width says 0.
  const columns = (stdout.isTTY && stdout.columns) || null;
  const form = { colours: coloursOf(stdout), columns };
  const progress = report.progressOn(stdout, flags);
  const examination = new Examination({
    timeoutMs,
    onStart: (plan) => progress.show(plan),
    onResult: (result) => {
      progress.clear();
      if (!flags.json) stdout.write(report.resultText(result, form));
    },
  });
  await waitedFor(examineAll(examination, { topicArgument, flags, env: process.env }));
  const { results } = examination;
  if (flags.json) printJson(report.reportObject(results));
  else stdout.write(report.summaryText(results, form));
  const exitStatus = report.exitStatusOfAll(results);
  if (exitStatus !== exitCodes.ok) throw new SilentExit(exitStatus);
}
