/** `npm run topic-service`: the service alone, as a lab runs it, and the administrator's commands. */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { javaClassPath, MissingToolError, requireJava } from '../jars.ts';
import { EnvironmentError, kafkaAccessFrom, settingsFrom } from './environment.ts';
import { isSubject, isUsername } from './identity.ts';
import { brokerAnswer, NotSeen } from './kafka-admin.ts';
import { type Ownership, openOwnership } from './ownership.ts';
import { Refusal } from './refusal.ts';
import { checkKafkaName } from './topic-names.ts';

const usage = `Usage: npm run topic-service -- serve
       npm run topic-service -- owners TOPIC
       npm run topic-service -- add-owner TOPIC SUBJECT|USERNAME...
       npm run topic-service -- remove-owner TOPIC SUBJECT|USERNAME...

serve         Runs the topic service until Ctrl-C.
owners        Lists who owns a topic.
add-owner     Adds owners, and makes the topic where there is none. Name a person by subject (a UUID) for
              service keys, and by user name (name@example.org) for Globus tokens: best by both.
remove-owner  Takes their rights away. The topic and its records stay.

-h, --help    Shows this.

Kafka and Globus are named by the environment: stack/topic-service/README.md has the table.`;

/** Bad arguments; the message says which. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h', default: false } },
  });
  const [command, topic, ...names] = positionals;
  if (values.help) {
    console.log(usage);
    return;
  }
  switch (command) {
    case 'serve':
      if (topic !== undefined) throw new UsageError('serve takes no arguments.');
      return serve();
    case 'owners':
      if (names.length > 0) throw new UsageError('owners takes one topic.');
      return changeOwners(topic, names, async () => {});
    case 'add-owner':
      if (names.length === 0) throw new UsageError('add-owner takes a topic and whom to add.');
      return changeOwners(topic, names, (owners, name) => owners.add(name, names.map(principal)));
    case 'remove-owner':
      if (names.length === 0)
        throw new UsageError('remove-owner takes a topic and whom to remove.');
      return changeOwners(topic, names, (owners, name) =>
        owners.remove(name, names.map(principal)),
      );
    default:
      throw new UsageError(
        command === undefined ? 'What shall be done?' : `There is no command ${command}.`,
      );
  }
}

async function serve(): Promise<void> {
  const settings = settingsFrom(process.env, say);
  // It is needed for the first key, and what it lacks is to be known before.
  await requireJava();
  await javaClassPath(say);
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stopping.abort());
  }
  const { startTopicService } = await import('./service.ts');
  const service = await startTopicService(settings);
  const { host, port, introspectionPort } = settings;
  say(
    `The topic service listens at ${host}:${port}, and for brokers at ${host}:${introspectionPort}.`,
  );
  say(`Claim page: ${settings.url}/acl`);
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
  say('Stopping');
  await service.stop();
}

/** Does the change, and prints the owners that are there afterwards, one a line. */
async function changeOwners(
  topic: string | undefined,
  names: readonly string[],
  change: (owners: Ownership, topic: string) => Promise<void>,
): Promise<void> {
  if (topic === undefined) throw new UsageError('Which topic?');
  checkKafkaName(topic);
  for (const name of names) principal(name);
  await using owners = openOwnership(kafkaAccessFrom(process.env));
  await change(owners, topic);
  for (const owner of await owners.of(topic)) console.log(owner);
}

/** As Kafka has it. @throws UsageError */
function principal(name: string): string {
  const subject = name.toLowerCase();
  if (isSubject(subject)) return `User:${subject}`;
  if (isUsername(name)) return `User:${name}`;
  throw new UsageError(`${name} is neither a subject (a UUID) nor a user name (name@example.org).`);
}

function say(line: string): void {
  console.error(line);
}

/** What the caller can mend is one line, and so is what a broker or the system refuses; anything else is a fault, with its trace. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOurs = [MissingToolError, EnvironmentError, Refusal, NotSeen].some(
    (kind) => error instanceof kind,
  );
  if (isOurs || 'syscall' in error) return error.message;
  const answer = brokerAnswer(error);
  if (answer !== null) return `Kafka refuses it: ${error.message} (${answer})`;
  const isUsage =
    error instanceof UsageError ||
    ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
  return isUsage ? `${error.message}\n\n${usage}` : (error.stack ?? error.message);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
