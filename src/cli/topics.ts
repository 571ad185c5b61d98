/** `diaspora-logger topics`: which topics are one's own, and how they become that. */
import { Command } from 'commander';
import type { DiasporaClient, TopicChange } from '../services/diaspora-client.ts';
import { confirm } from './confirm.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { printJson, printTable } from './output.ts';
import {
  addServiceFlags,
  addServiceUrlFlag,
  type ServiceFlags,
  withClient,
} from './service-flags.ts';

interface ConfirmedFlags extends ServiceFlags {
  readonly yes?: boolean;
}

export function topicsCommand(): Command {
  const topics = new Command('topics')
    .description('List, register, unregister, empty and claim topics.')
    .addHelpText(
      'after',
      `
A topic is registered with the Diaspora service, once: from then on it is yours, whatever key or token you
sign in with later. Topics of v3 are called <namespace>.<topic> in Kafka: "list" shows both names. A topic
of the web form is claimed instead, and is called what you call it.

Examples:
  $ diaspora-logger topics register sensor-log
  $ diaspora-logger topics list
  $ diaspora-logger topics claim sensor_log
${exitCodesHelp}`,
    );
  for (const command of [list(), register(), unregister(), recreate(), claim()]) {
    topics.addCommand(command.addHelpText('after', exitCodesHelp));
  }
  return topics;
}

function list(): Command {
  return addServiceFlags(new Command('list'))
    .description("Print one's topics: the name, and what Kafka calls it.")
    .action((flags: ServiceFlags) =>
      withClient(flags, async (client) => {
        const names = await client.listTopics();
        const named: { topic: string; kafkaTopic: string }[] = [];
        for (const topic of names)
          named.push({ topic, kafkaTopic: await kafkaName(client, topic, flags) });
        if (flags.json) printJson(named);
        else if (named.length > 0) {
          printTable(named.map(({ topic, kafkaTopic }) => [topic, kafkaTopic] as const));
        } else {
          process.stderr.write(
            'No topics yet: "diaspora-logger topics register <topic>" makes one.\n',
          );
        }
      }),
    );
}

function register(): Command {
  return addServiceFlags(new Command('register'))
    .argument('<topic>', 'v3: 3 to 32 letters, digits, hyphens and underscores')
    .description('Make a topic, and the right to write, read and describe it.')
    .action((topic: string, flags: ServiceFlags) =>
      change(flags, topic, (client) => client.registerTopic(topic)),
    );
}

function unregister(): Command {
  return addServiceFlags(new Command('unregister'))
    .argument('<topic>')
    .option('--yes', 'do not ask')
    .description('Give a topic up. In v3 its records go with it; in v1 they stay.')
    .action(async (topic: string, flags: ConfirmedFlags) => {
      if (!flags.yes && flags.apiVersion !== 'v1') {
        await confirm(`Topic ${topic} is deleted with all its records.`);
      }
      await change(flags, topic, (client) => client.unregisterTopic(topic));
    });
}

function recreate(): Command {
  return addServiceFlags(new Command('recreate'))
    .argument('<topic>')
    .option('--yes', 'do not ask')
    .description('Empty a topic: it is deleted with all its records, and made anew (v3 only).')
    .action(async (topic: string, flags: ConfirmedFlags) => {
      if (!flags.yes) await confirm(`All records of topic ${topic} are deleted.`);
      await change(flags, topic, (client) => client.recreateTopic(topic));
    });
}

function claim(): Command {
  return addServiceUrlFlag(new Command('claim'))
    .argument('<topic>', 'letters, digits and underscores, not beginning with an underscore')
    .description('Claim a topic as the web form does: by its name alone, for whoever comes first.')
    .action((topic: string, flags: ServiceFlags) =>
      withClient(flags, async (client) => {
        const changed = await client.claimTopic(topic);
        report(flags, { ...changed, kafkaTopic: topic });
      }),
    );
}

function change(
  flags: ServiceFlags,
  topic: string,
  ask: (client: DiasporaClient) => Promise<TopicChange>,
): Promise<void> {
  return withClient(flags, async (client) => {
    const changed = await ask(client);
    report(flags, { ...changed, kafkaTopic: await kafkaName(client, topic, flags) });
  });
}

/** The service's own words, and which name Kafka knows the topic by. */
function report(flags: ServiceFlags, changed: TopicChange & { readonly kafkaTopic: string }): void {
  if (flags.json) printJson(changed);
  else
    process.stdout.write(
      `${changed.status}: ${changed.message}\nKafka topic: ${changed.kafkaTopic}\n`,
    );
}

async function kafkaName(
  client: DiasporaClient,
  topic: string,
  { apiVersion }: ServiceFlags,
): Promise<string> {
  return apiVersion === 'v1' ? topic : `${await client.namespace()}.${topic}`;
}
