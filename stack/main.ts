/** `npm run stack`: the local stack for a person, until Ctrl-C. */

import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { MissingToolError } from './jars.ts';
import { startStack } from './stack.ts';

const usage = `Usage: npm run stack -- [--brokers 1|3] [--topic name[:partitions]]... [--service-port port]

Starts a real Kafka, a stand-in for Globus and a topic service on loopback, and prints what to export.
Ctrl-C stops them and removes everything they wrote.`;

/** A topic as `--topic` names it. */
interface WantedTopic {
  readonly name: string;
  readonly partitions: number;
}

/** Bad arguments; the message says which. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

function readArguments(
  args: readonly string[],
): { brokers: 1 | 3; topics: WantedTopic[]; servicePort: number | null } | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      brokers: { type: 'string', default: '1' },
      topic: { type: 'string', multiple: true, default: [] },
      'service-port': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.brokers !== '1' && values.brokers !== '3') {
    throw new UsageError(`--brokers takes 1 or 3, not ${values.brokers}.`);
  }
  return {
    brokers: values.brokers === '3' ? 3 : 1,
    topics: values.topic.map(wantedTopic),
    servicePort: wantedPort(values['service-port']),
  };
}

/** Null: any that is free. */
function wantedPort(text: string | undefined): number | null {
  if (text === undefined) return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) {
    throw new UsageError(`--service-port takes a port from 1 to 65535, not ${text}.`);
  }
  return port;
}

function wantedTopic(text: string): WantedTopic {
  const [, name, partitions = '1'] = /^([\w.-]{1,249})(?::([1-9]\d{0,3}))?$/.exec(text) ?? [];
  if (name === undefined) {
    throw new UsageError(`--topic takes a name, or name:partitions, not ${text}.`);
  }
  return { name, partitions: Number(partitions) };
}

/** Stdout carries what a shell can evaluate, stderr what a person reads. */
async function main(args: readonly string[]): Promise<void> {
  const wanted = readArguments(args);
  if (wanted === 'help') {
    console.log(usage);
    return;
  }
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stopping.abort());
  await using stack = await startStack({
    brokers: wanted.brokers,
    ...(wanted.servicePort !== null && { topicService: { port: wanted.servicePort } }),
    onProgress: say,
  });
  if (stopping.signal.aborted) return;
  for (const { name, partitions } of wanted.topics) await stack.createTopic(name, { partitions });
  const { refreshToken, subject } = await stack.globus.signIn();
  const [topic] = wanted.topics;
  const environment = {
    ...stack.env,
    DIASPORA_REFRESH: refreshToken,
    DIASPORA_SUBJECT: subject,
    ...(topic && { DIASPORA_TOPIC: topic.name }),
  };
  say(`Kafka and Globus are ready; logs and data are in ${stack.directory}\n`);
  for (const [name, value] of Object.entries(environment)) console.log(`export ${name}=${value}`);
  say(`\nClaim topics at ${stack.serviceUrl}/acl. An administrator adds owners to a topic with`);
  const admin = `TOPIC_SERVICE_KAFKA=${stack.bootstrap('INTERNAL')} TOPIC_SERVICE_KAFKA_TLS=false`;
  say(`${admin} npm run topic-service -- add-owner TOPIC SUBJECT USERNAME`);
  // The process that npm started is another: ended by a signal, it leaves this one running.
  say(`\nPut these lines into another terminal. Ctrl-C, or kill ${process.pid}, stops the stack.`);
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
  say('\nStopping');
}

function say(line: string): void {
  console.error(line);
}

/** A usage or set-up fault is one line; anything else is a fault of the stack, with its trace. */
function explain(error: unknown): string {
  if (error instanceof MissingToolError) return error.message;
  const badArgument =
    error instanceof UsageError ||
    (error instanceof TypeError &&
      'code' in error &&
      String(error.code).startsWith('ERR_PARSE_ARGS'));
  if (badArgument) return `${error.message}\n\n${usage}`;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}: choose another port with --service-port.`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say(explain(error));
  process.exitCode = 1;
}
