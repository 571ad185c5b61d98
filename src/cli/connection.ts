/** `diaspora-logger connection`: what another Kafka client needs to connect as this one does. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { ConfigurationError } from '../errors.ts';
import {
  type ClientConnection,
  type ClientSignIn,
  saslMechanismOf,
  secretsOf,
  securityProtocolOf,
} from '../other-clients/client-connection.ts';
import { firstLine, javaClientText } from '../other-clients/java-client.ts';
import { kcatCommand, kcatConfig, kcatFirstLine } from '../other-clients/kcat-config.ts';
import { type PythonClient, pythonClient, pythonClients } from '../other-clients/python-client.ts';
import { fileNameOf, requireDirectory, writeSecretFile } from '../other-clients/secret-file.ts';
import type { ToldConnection } from './client-connection.ts';
import { addConnectionFlags, type ConnectionFlags, optionsFrom } from './connection-flags.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { printJson, printTable } from './output.ts';

interface Flags extends ConnectionFlags {
  readonly kcat?: boolean;
  readonly java?: boolean;
  /** True where the flag stands alone. */
  readonly python?: PythonClient | true;
  readonly out?: string;
  readonly showSecrets?: boolean;
  readonly json?: boolean;
}

export function connectionCommand(): Command {
  return addConnectionFlags(new Command('connection'))
    .description('Print what kcat, Java or Python needs to connect as this command does.')
    .option('--kcat', 'the configuration file of kcat')
    .option('--java', 'properties for Java clients')
    .addOption(
      new Option('--python [client]', 'a program for kafka-python, or confluent-kafka').choices(
        pythonClients,
      ),
    )
    .option('--out <directory>', '--java, --kcat: write a file there (mode 0600), with the secrets')
    .option('--show-secrets', 'print secrets; else the environment variable that stands for each')
    .option('--json', 'print one JSON value on stdout')
    .addHelpText(
      'after',
      `
Secrets are not printed unless --show-secrets is given: Java and Python programs then read them from the
environment variables that are named. A file that --out writes holds them, for its owner alone.

Examples:
  $ diaspora-logger connection
  $ diaspora-logger connection --java --out .
  $ diaspora-logger connection --python > hello.py && python3 hello.py my-topic
  $ diaspora-logger connection --auth scram --kcat --out . && kcat -F kcat.conf -L
${exitCodesHelp}`,
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  requireOneForm(flags);
  const { connection: options } = optionsFrom(flags);
  if (flags.out !== undefined) await requireDirectory(flags.out, 'the file');
  const { tellConnection } = await import('./client-connection.ts');
  const told = await tellConnection(options, {
    showSecrets: flags.showSecrets === true || flags.out !== undefined,
    env: process.env,
  });
  const { connection } = told;
  if (flags.out !== undefined) await writeFiles(flags.out, flags, told);
  else if (flags.java) process.stdout.write(javaClientText(connection));
  else if (flags.kcat) process.stdout.write(kcatConfig(connection));
  else if (flags.python) {
    const client = flags.python === true ? 'kafka-python' : flags.python;
    process.stdout.write(pythonClient(client, connection));
  } else if (flags.json) printJson(asJson(connection));
  else printTable(rowsOf(connection));
  if (flags.kcat && connection.tls?.checkHostname === false) tellKcatCommand(connection);
}

/** The file says it as well, where few will look who let it be written. */
function tellKcatCommand(connection: ClientConnection): void {
  process.stderr.write(
    `diaspora-logger: kcat leaves the host name unchecked by its command line alone, not by a file: ${kcatCommand(connection)}\n`,
  );
}

function requireOneForm({ kcat, java, python, json, out }: Flags): void {
  const forms = Object.entries({ kcat, java, python, json }).filter(([, given]) => given);
  const names = forms.map(([name]) => `--${name}`);
  if (names.length > 1) {
    throw new ConfigurationError(`${names.join(' and ')} exclude each other: give one.`, names[1]);
  }
  if (out !== undefined && !kcat && !java) {
    throw new ConfigurationError(
      '--out goes with --java or --kcat: send the rest to a file by ">".',
      'out',
    );
  }
}

async function writeFiles(
  directory: string,
  { java }: Flags,
  { connection, name }: ToldConnection,
): Promise<void> {
  const path = join(directory, java ? `${fileNameOf(name)}.properties` : 'kcat.conf');
  if (java) await writeSecretFile(path, javaClientText(connection), firstLine);
  else await writeSecretFile(path, kcatConfig(connection), kcatFirstLine);
  process.stdout.write(`${path}\n`);
}

/** Every row has a value: what is a secret, and not shown, is the variable that stands for it. */
function rowsOf(connection: ClientConnection): (readonly [string, string])[] {
  const { bootstrapBrokers, tls } = connection;
  return [
    ['Brokers', bootstrapBrokers ?? '(set DIASPORA_BOOTSTRAP)'],
    ['Security protocol', securityProtocolOf(connection)],
    ['SASL mechanism', saslMechanismOf(connection.signIn) ?? '-'],
    ...signInRows(connection.signIn),
    ...Object.entries(tls === null ? {} : tlsFiles(connection)),
    ...secretsOf(connection).map(
      ({ variable, value }) => [variable, value ?? '(a secret)'] as const,
    ),
  ];
}

function signInRows(signIn: ClientSignIn): (readonly [string, string])[] {
  switch (signIn.type) {
    case 'globus':
      return [
        ['Token', 'an access token of Globus Auth, which the refresh token buys'],
        ['Token endpoint', `${signIn.issuer}/v2/oauth2/token`],
        ['OAuth client', signIn.oauthClientId],
      ];
    case 'scram':
      return [['User name', signIn.username]];
    case 'aws-iam':
      return [
        ['Token', 'an AWS MSK IAM token, which the access key signs'],
        ['Region', signIn.region],
        ...(signIn.accessKey ? [['Access key', signIn.accessKey.accessKeyId] as const] : []),
        ...(signIn.profile ? [['AWS profile', signIn.profile] as const] : []),
      ];
    case 'token':
      return [['Token', 'an access token that your module gives']];
    default:
      return [];
  }
}

function tlsFiles({ tls }: ClientConnection): Record<string, string> {
  return {
    'Trusted certificates': tls?.caFile ?? "the client's own list",
    ...(tls?.certFile && { Certificate: tls.certFile }),
    ...(tls?.keyFile && { 'Key of the certificate': tls.keyFile }),
    ...(tls?.pfxFile && { 'PKCS12 file': tls.pfxFile }),
    ...(tls?.checkHostname === false && { 'Host name check': 'off' }),
    ...(tls?.verify === false && { 'Certificate check': 'off' }),
  };
}

/** As kept, with secrets by name: null where they are not shown. */
function asJson(connection: ClientConnection): unknown {
  return {
    ...connection,
    securityProtocol: securityProtocolOf(connection),
    saslMechanism: saslMechanismOf(connection.signIn),
  };
}
