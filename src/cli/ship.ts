/** `diaspora-logger ship`: lines of text to a topic, from a pipe or from files. */
import { Command, InvalidArgumentError } from 'commander';
import { ConfigurationError } from '../errors.ts';
import { resolveTransport } from '../options.ts';
import { addConnectionFlags, type ConnectionFlags, optionsFrom } from './connection-flags.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { topicOf } from './topic-name.ts';

interface Flags extends ConnectionFlags {
  readonly topic?: string;
  readonly key?: string;
  readonly keyField?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly headerFields?: readonly string[];
  readonly partition?: number;
  readonly sourceHeaders?: boolean;
  readonly compression?: string;
  readonly deadLetter?: string;
  readonly arrivalTime?: boolean;
  readonly tee?: boolean;
  readonly follow?: boolean;
  readonly fromStart?: boolean;
  readonly closeTimeout?: number;
  readonly json?: boolean;
}

const description = `Ship lines of text to a topic, from a pipe or from files.

Each line becomes one record, byte for byte. Of JSON lines, Pino's and other loggers', level and time are understood.
Nothing is lost while it runs: when the brokers take less than comes in, or are away, it stops reading until they take
more, however long that is. The app at the other end of the pipe then waits in its writes.`;

const examples = `
Examples:
  node app.js | diaspora-logger ship --topic app-logs
  node app.js | diaspora-logger ship --topic app-logs --tee | npx pino-pretty
  diaspora-logger ship --topic archive 2025-*.log
  diaspora-logger ship --topic app-logs --follow /var/log/app.log

Ending: at the end of its input it waits until everything is acknowledged. Ctrl-C stops reading, delivers what was read
within 8 s (--close-timeout), and says what was delivered and what not; a pipe is still read to its end, for at most 5 s,
since the app gets the same Ctrl-C and has its last words. A second Ctrl-C ends at once.
`;

export function shipCommand(): Command {
  const command = new Command('ship')
    .description(description)
    .argument('[file...]', 'files to ship, in this order; "-" or none for standard input')
    .option('--topic <name>', 'Kafka topic (default: DIASPORA_TOPIC)')
    .option('--key <text>', 'one key for every record: they keep their order')
    .option('--key-field <name>', 'field of a JSON line whose value is its key')
    .option('--headers <name=value>', 'a header for every record; may be repeated', addHeader)
    .option('--header-fields <name,…>', 'fields of a JSON line that become headers', names)
    .option('--partition <number>', 'one partition for every record', Number)
    .option('--arrival-time', 'the present time for each record, instead of that in its line')
    .option(
      '--source-headers',
      'number the records, so that "audit" can prove that none is missing',
    )
    .option('--compression <codec>', 'none, gzip, or zstd (default: none)')
    .option('--dead-letter <directory>', 'keep what cannot be delivered there, as NDJSON')
    .option('--tee', 'pass the input on to standard output, unchanged')
    .option('--follow', 'go on reading files that grow and are rotated, until Ctrl-C')
    .option('--from-start', '--follow: also what the files hold already (default: from now on)')
    .option(
      '--close-timeout <seconds>',
      'give up where the brokers make it wait for so long (default: 8 after Ctrl-C, else never)',
      seconds,
    )
    .option('--json', 'print one JSON object at the end');
  return addConnectionFlags(command)
    .addHelpText('after', examples)
    .addHelpText('after', exitCodesHelp)
    .action(run);
}

async function run(files: readonly string[], flags: Flags): Promise<void> {
  const { connection, delivery, routing } = optionsFrom(flags);
  const { keyField, headerFields, partition, compression } = flags;
  const { deadLetter, sourceHeaders, closeTimeout, key } = flags;
  // Its arguments are files.
  const topic = topicOf({ argument: undefined, flags, routing, env: process.env }) ?? undefined;
  const closeTimeoutMs = closeTimeout === undefined ? undefined : Math.round(closeTimeout * 1_000);
  const transport = resolveTransport({
    ...connection,
    ...delivery,
    ...routing,
    ...given({ topic, keyField, headerFields, partition, compression, deadLetter, sourceHeaders }),
    ...given({ closeTimeoutMs, key }),
    headers: { ...routing.headers, ...flags.headers },
  });
  if (transport.transform !== null) {
    throw new ConfigurationError(
      'Option "transform" is for transports: "ship" leaves each line as it is.',
      'transform',
    );
  }
  if (flags.fromStart && !flags.follow) {
    throw new ConfigurationError(
      '--from-start goes with --follow: else files are read from their start anyway.',
    );
  }
  const { runShip } = await import('./ship/run-ship.ts');
  await runShip({
    files,
    transport,
    arrivalTime: flags.arrivalTime === true,
    tee: flags.tee === true,
    json: flags.json === true,
    follow: flags.follow ? (flags.fromStart ? 'start' : 'end') : null,
    patienceMs: closeTimeoutMs ?? delivery.closeTimeoutMs ?? Number.POSITIVE_INFINITY,
  });
}

/** Without those that were left out: they must not win over the file of `--config`. */
function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function addHeader(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('It takes name=value.');
  }
  return { ...before, [name]: value };
}

function names(text: string): string[] {
  return text.split(',').filter((name) => name !== '');
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It takes a number of seconds.');
  return Number(text);
}
