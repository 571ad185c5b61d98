/** `diaspora-logger keys`: the key of the Diaspora service, which signs in to the brokers. */
import { Command } from 'commander';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import type { ServiceKey } from '../services/diaspora-client.ts';
import { confirm } from './confirm.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { printJson, printTable } from './output.ts';
import { readSecret } from './secret-input.ts';
import { addServiceFlags, type ServiceFlags, withClient } from './service-flags.ts';

interface ShowFlags extends ServiceFlags {
  readonly showSecret?: boolean;
}

interface CreateFlags extends ShowFlags {
  readonly yes?: boolean;
}

interface PutFlags extends ServiceFlags {
  readonly accessKey?: string;
  readonly endpoint?: string;
  readonly secretFrom?: string;
}

export function keysCommand(): Command {
  const keys = new Command('keys')
    .description('Make, show and move the key that signs in to the brokers.')
    .addHelpText(
      'after',
      `
There is one key a person. It lies in ~/.diaspora/storage.db, where the Python SDK finds it too. Making a new one
ends the one before, on every machine: to use the same key on a second machine, move it by "show" and "put".

Examples:
  $ diaspora-logger keys create && diaspora-logger wait-ready
  $ diaspora-logger keys show
  first$ diaspora-logger keys show --json --show-secret
  second$ diaspora-logger keys put --access-key AKIA… --endpoint broker.example.org:9198
${exitCodesHelp}`,
    );
  for (const command of [create(), show(), put()]) {
    keys.addCommand(command.addHelpText('after', exitCodesHelp));
  }
  return keys;
}

function create(): Command {
  return addServiceFlags(new Command('create'))
    .option('--yes', 'do not ask')
    .option('--show-secret', 'print its secret, too')
    .description('Make a new key and store it. Earlier keys end, on every machine.')
    .action(async (flags: CreateFlags) => {
      if (!flags.yes) await confirm('Earlier keys end, on every machine that uses them.');
      await withClient(flags, async (client) => {
        const key = await client.createKey();
        print(key, flags);
        if ((await client.getSecretKey()) === null) {
          process.stderr.write(
            'The key is not kept: there is no place for the token store. Set DIASPORA_USER_DIR to a directory, or HOME.\n',
          );
        }
        process.stderr.write(
          'Brokers may take a minute or so until they accept it: "diaspora-logger wait-ready" waits for that.\n',
        );
      });
    });
}

function show(): Command {
  return addServiceFlags(new Command('show'))
    .option('--show-secret', 'print its secret, too: whoever has it can sign in as you')
    .description('Print the stored key. Its secret stays hidden without --show-secret.')
    .action((flags: ShowFlags) =>
      withClient(flags, async (client) => {
        if ((await client.getSecretKey()) === null) throw noKey(flags);
        print(await client.retrieveKey(), flags);
      }),
    );
}

function put(): Command {
  return addServiceFlags(new Command('put'))
    .option('--access-key <id>', 'v3: the key that the secret belongs to')
    .option(
      '--endpoint <host:port,…>',
      'the brokers that it is for (default: those of the key that was stored)',
    )
    .option('--secret-from <variable>', 'environment variable with the secret (default: stdin)')
    .description('Store a key that was made on another machine. Its secret is read from stdin.')
    .action((flags: PutFlags) =>
      withClient(flags, async (client) => {
        const { accessKey, endpoint, apiVersion } = flags;
        if (apiVersion === 'v1' && accessKey !== undefined) {
          throw new ConfigurationError(
            'A key of v1 is a secret alone: leave out --access-key, or --api-version v1.',
            'access-key',
          );
        }
        if (apiVersion !== 'v1' && accessKey === undefined) {
          throw new ConfigurationError(
            'A key of v3 has two parts: name the other one by --access-key, or say --api-version v1.',
            'access-key',
          );
        }
        const secret = await readSecret('secret key', flags.secretFrom);
        await client.putSecretKey(secret, {
          ...(accessKey !== undefined && { accessKey }),
          ...(endpoint !== undefined && { endpoint }),
        });
        if (flags.json) printJson({ version: apiVersion, accessKey: accessKey ?? null });
        else {
          process.stdout.write(
            'The key is stored: "diaspora-logger wait-ready" tries it; where nobody is signed in, with --topic and a topic of yours.\n',
          );
        }
      }),
    );
}

function noKey({ apiVersion = 'v3' }: ShowFlags): AuthenticationError {
  const flag = apiVersion === 'v1' ? ' --api-version v1' : '';
  const present =
    apiVersion === 'v1' ? '' : '"npx diaspora-logger wait-ready" fetches the present one, ';
  return new AuthenticationError(
    'CREDENTIALS_MISSING',
    `No key of ${apiVersion} is stored here: ${present}"npx diaspora-logger keys put${flag}" takes over that of another machine, "keys create${flag}" makes a new one, which ends all others.`,
    false,
  );
}

function print(key: ServiceKey, { json, showSecret }: ShowFlags): void {
  const { secretKey, fresh: _, ...rest } = key;
  if (json) {
    printJson({ ...rest, secretKey: showSecret ? secretKey : null });
    return;
  }
  printTable([
    ['version', key.version],
    ...(key.version === 'v3'
      ? ([['access key', key.accessKey]] as const)
      : ([['user name', key.username]] as const)),
    ['secret key', showSecret ? secretKey : '(hidden: --show-secret prints it)'],
    ['brokers', key.endpoint || '(set DIASPORA_BOOTSTRAP)'],
    ...(key.version === 'v3' && key.createdAt !== null
      ? ([['made at', key.createdAt]] as const)
      : []),
  ]);
}
