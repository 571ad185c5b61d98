import { execFile, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { confidentialClient } from '../../stack/globus-facts.ts';
import { produceAndConsumeInJava } from '../../stack/java-tools.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { produceAndConsumeByAws } from '../support/msk-iam.ts';
import { pythonWith } from '../support/python.ts';
import { type Account, Accounts } from './account.ts';
import { buildPackage } from './built-package.ts';
import { type Env, runCommand } from './command.ts';

/** Not the synchronous one: the stack's Globus and its topic service live in this process. */
const run = promisify(execFile);

let stack: Stack;
let accounts: Accounts;
let person: Account;
let python: string;

/** Owned by whoever signs in with a password or a certificate, and by Globus's default user. */
const topic = 'connection';

beforeAll(async () => {
  await buildPackage();
  python = await pythonWith('requirements.txt');
  stack = await startStack();
  accounts = new Accounts(stack);
  person = await accounts.signedIn(stack.oauthPrincipal);
  await accounts.run(['keys', 'create', '--yes'], { env: person.env });
  await accounts.run(['topics', 'register', topic], { env: person.env });
  await stack.createTopic(topic);
  return async () => {
    accounts[Symbol.dispose]();
    await stack.stop();
  };
}, 300_000);

interface Way {
  readonly args: readonly string[];
  /** What the command gets of the sign-in. */
  readonly env: Env;
  /** What the other client gets: the secrets that stay out of the text, by the variables that it names. */
  readonly secrets: Env;
  /** Kafka topic to write to. */
  readonly topic: string;
}

/** Every way to sign in that a Kafka client other than this package can use. */
const ways = {
  globus: async () => ({
    args: [],
    env: person.env,
    secrets: { DIASPORA_REFRESH: await secretOf([], 'signIn.refreshToken.value') },
    topic,
  }),
  diaspora: async () => ({
    args: ['--auth', 'diaspora'],
    env: person.env,
    secrets: {
      AWS_SECRET_ACCESS_KEY: await secretOf(
        ['--auth', 'diaspora'],
        'signIn.accessKey.secretAccessKey.value',
      ),
    },
    topic: `ns-${person.subject.slice(-12)}.${topic}`,
  }),
  scram: async () => ({
    args: ['--auth', 'scram', '--brokers', stack.bootstrap('SCRAM')],
    env: {
      ...person.env,
      DIASPORA_USERNAME: stack.scramUser.username,
      DIASPORA_PASSWORD: stack.scramUser.password,
    },
    secrets: { DIASPORA_PASSWORD: stack.scramUser.password },
    topic,
  }),
  'mtls by PEM': async () => {
    const { certFile, keyFile } = stack.clientCertificate;
    return {
      args: [
        ...['--auth', 'mtls', '--brokers', stack.bootstrap('MTLS')],
        ...['--cert', certFile, '--cert-key', keyFile],
      ],
      // Of another key: this one has none.
      env: { ...person.env, DIASPORA_TLS_PASSPHRASE: 'not-of-this-key' },
      secrets: {},
      topic,
    };
  },
  'mtls by PKCS12': async () => {
    const { pfxFile, passphrase } = stack.clientCertificate;
    const secrets = { DIASPORA_TLS_PASSPHRASE: passphrase };
    return {
      args: ['--auth', 'mtls', '--brokers', stack.bootstrap('MTLS'), '--pfx', pfxFile],
      env: { ...person.env, ...secrets },
      secrets,
      topic,
    };
  },
  none: async () => ({
    args: ['--auth', 'none', '--no-tls', '--brokers', stack.bootstrap('INTERNAL')],
    env: person.env,
    secrets: {},
    topic,
  }),
} satisfies Record<string, () => Promise<Way>>;

type WayName = keyof typeof ways;
const names = Object.keys(ways).filter((name): name is WayName => name in ways);

async function secretOf(args: readonly string[], path: string): Promise<string> {
  const { out } = await runCommand(['connection', ...args, '--json', '--show-secrets'], {
    env: person.env,
  });
  const value: unknown = path
    .split('.')
    .reduce((at: unknown, name) => Object(at)[name], JSON.parse(out));
  if (typeof value !== 'string') throw new Error(`No ${path} in what was printed.`);
  return value;
}

/** Number of records that the topic holds. */
async function lengthOf(name: string): Promise<bigint> {
  return [...(await stack.endOffsets(name)).values()].reduce((sum, offset) => sum + offset, 0n);
}

describe('connection --python', () => {
  const clients = ['kafka-python', 'confluent-kafka'] as const;
  it.each(clients.flatMap((client) => names.map((name) => [client, name] as const)))(
    'prints a program that runs as it stands: %s, %s',
    async (client, name) => {
      const way = await ways[name]();
      const args = ['connection', ...way.args, '--python', client];
      const { code, out, err } = await accounts.run(args, { env: way.env });
      if (client === 'kafka-python' && name === 'mtls by PKCS12') {
        expect({ code, out }).toEqual({ code: 2, out: '' });
        expect(err).toContain('reads no PKCS12');
        return;
      }
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const file = join(accounts.directory(), 'hello.py');
      writeFileSync(file, out);
      const before = await lengthOf(way.topic);
      const { stdout } = await run(python, [file, way.topic], {
        env: { PATH: process.env['PATH'], ...way.secrets },
      });
      expect(stdout).toBe(`stored in partition 0 at offset ${before}\n`);
    },
  );

  it('prints one that holds the secret where that is asked for', async () => {
    const way = await ways.scram();
    const args = ['connection', ...way.args, '--python', '--show-secrets'];
    const { out } = await runCommand(args, { env: way.env });
    const file = join(accounts.directory(), 'hello.py');
    writeFileSync(file, out);
    await run(python, [file, topic], { env: { PATH: process.env['PATH'] } });
  });

  it('prints one for a confidential client, whose secret is in no place but the environment', async () => {
    const { clientId, clientSecret } = confidentialClient;
    const secrets = { DIASPORA_SDK_CLIENT_SECRET: clientSecret };
    const env = { ...accounts.newcomer().env, DIASPORA_SDK_CLIENT_ID: clientId, ...secrets };
    const { out } = await accounts.run(['connection', '--python'], { env });
    const file = join(accounts.directory(), 'hello.py');
    writeFileSync(file, out);
    const own = `${clientId}@clients.auth.globus.org`;
    await stack.createTopic('of-a-client', { owner: own });
    await run(python, [file, 'of-a-client'], {
      env: { PATH: process.env['PATH'], ...secrets },
    });
    expect(await lengthOf('of-a-client')).toBe(1n);
  });
});

describe('connection --java', () => {
  const inJava = names.filter((name) => name !== 'diaspora');
  it.each(inJava)(
    'prints properties that read their secrets from the environment: %s',
    async (name) => {
      const way = await ways[name]();
      const { code, out } = await accounts.run(['connection', ...way.args, '--java'], {
        env: way.env,
      });
      expect(code).toBe(0);
      const file = join(accounts.directory(), 'printed.properties');
      writeFileSync(file, out);
      const [flag] = /-Dorg\.apache\.kafka\.\S+/.exec(out) ?? [];
      const before = await lengthOf(way.topic);
      await withEnvironment(way.secrets, () =>
        produceAndConsumeInJava(file, way.topic, { count: 2, javaOptions: flag ? [flag] : [] }),
      );
      expect(await lengthOf(way.topic)).toBe(before + 2n);
    },
  );

  it('writes a file with the secrets, for its owner alone', async () => {
    const way = await ways.scram();
    const out = accounts.directory();
    const args = ['connection', ...way.args, '--java', '--out', out];
    const end = await accounts.run(args, { env: way.env });
    const file = join(out, `${stack.scramUser.username}.properties`);
    expect(end).toMatchObject({ code: 0, out: `${file}\n`, err: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await produceAndConsumeInJava(file, topic, { count: 1 });
  });

  it("names AWS's library for a key, and the variables with which it signs in", async () => {
    const way = await ways.diaspora();
    const { out } = await accounts.run(['connection', ...way.args, '--java'], { env: way.env });
    expect(out).toContain('# Class path: software.amazon.msk:aws-msk-iam-auth.');
    expect(out).toMatch(/^# AWS_SECRET_ACCESS_KEY=\(a secret\)$/m);
    const file = join(accounts.directory(), 'printed.properties');
    writeFileSync(file, out);
    const told = [...out.matchAll(/^# (AWS_\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]);
    const env = { ...Object.fromEntries(told), ...way.secrets };
    const before = await lengthOf(way.topic);
    await produceAndConsumeByAws(file, way.topic, { count: 2, env });
    expect(await lengthOf(way.topic)).toBe(before + 2n);
  });
});

/** Java programs of the stack's tools get this process's environment. */
async function withEnvironment(env: Env, action: () => Promise<void>): Promise<void> {
  Object.assign(process.env, env);
  try {
    await action();
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
  }
}

/** A directory with the librdkafka of Python's client: that of a distribution is often too old for passwords at Kafka 4. */
function recentLibrdkafka(): string {
  const lib = join(dirname(dirname(python)), 'lib');
  const file = readdirSync(lib, { recursive: true, encoding: 'utf8' }).find((name) =>
    /librdkafka-\w+\.so\.1$/.test(name),
  );
  const directory = accounts.directory();
  symlinkSync(join(lib, file ?? ''), join(directory, 'librdkafka.so.1'));
  return directory;
}

const kcat = 'kcat';
const hasKcat = spawnSync(kcat, ['-V']).status === 0;

describe('connection --kcat', () => {
  const inKcat = ['scram', 'mtls by PEM', 'mtls by PKCS12', 'none'] as const;
  it.runIf(hasKcat).each(inKcat)('writes a file that kcat takes as it stands: %s', async (name) => {
    const way = await ways[name]();
    const out = accounts.directory();
    const args = ['connection', ...way.args, '--kcat', '--out', out];
    const end = await accounts.run(args, { env: way.env });
    const file = join(out, 'kcat.conf');
    expect(end).toMatchObject({ code: 0, out: `${file}\n`, err: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { stdout } = await run(kcat, ['-F', file, '-J', '-L', '-t', way.topic], {
      env: { PATH: process.env['PATH'], LD_LIBRARY_PATH: recentLibrdkafka() },
    });
    expect(JSON.parse(stdout).topics[0]).toMatchObject({ topic: way.topic });
  });

  it('prints the variable in place of the secret, and says how it is put there', async () => {
    const { args, env } = await ways.scram();
    const { out } = await accounts.run(['connection', ...args, '--kcat'], { env });
    expect(out).toContain('sasl.password=$DIASPORA_PASSWORD\n');
    expect(out).toContain('envsubst');
  });

  it.runIf(hasKcat)('says with which flags kcat leaves the host name unchecked', async () => {
    const { args, env, topic: name } = await ways['mtls by PEM']();
    const out = accounts.directory();
    // An address of this machine that its certificate does not name.
    const brokers = stack.bootstrap('MTLS').replaceAll('localhost', '127.1');
    const all = ['connection', ...args, '--brokers', brokers, '--no-check-hostname'];
    const end = await accounts.run([...all, '--kcat', '--out', out], { env });
    const file = join(out, 'kcat.conf');
    expect(end).toMatchObject({ code: 0, out: `${file}\n` });
    const [, flags = ''] = /kcat -F kcat\.conf (-X \S+) -L\n$/.exec(end.err) ?? [];
    const list = async (...more: string[]): Promise<string> => {
      const env = { PATH: process.env['PATH'], LD_LIBRARY_PATH: recentLibrdkafka() };
      return (await run(kcat, ['-F', file, ...more, '-J', '-L', '-t', name], { env })).stdout;
    };
    await expect(list('-m', '2')).rejects.toThrow(/certificate verify failed/);
    expect(JSON.parse(await list(...flags.split(' '))).topics[0]).toMatchObject({ topic: name });
  });

  it('takes the key of v1, which is a password', async () => {
    const v1 = ['--auth', 'diaspora', '--api-version', 'v1', '--brokers', stack.bootstrap('SCRAM')];
    const { code, out } = await accounts.run(['connection', ...v1, '--kcat'], { env: person.env });
    expect(code).toBe(0);
    expect(out).toContain(`sasl.username=${person.subject}\n`);
  });

  it.each(['globus', 'diaspora'] as const)(
    'says that kcat cannot sign in by a token, and what to use: %s',
    async (name) => {
      const { args, env } = await ways[name]();
      const end = await accounts.run(['connection', ...args, '--kcat'], { env });
      expect(end).toMatchObject({ code: 2, out: '' });
      expect(end.err).toMatch(/^diaspora-logger: kcat cannot sign in with a token [^\n]+\n$/);
      expect(end.err).toContain('--python confluent-kafka');
    },
  );
});

describe('connection', () => {
  it.each(names)('tells in a table what there is to know, and no secret: %s', async (name) => {
    const way = await ways[name]();
    const { code, out, err } = await accounts.run(['connection', ...way.args], { env: way.env });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Brokers {2,}(localhost|127\.0\.0\.1):\d+$/m);
    expect(out).toMatch(/^Security protocol {2,}(SASL_SSL|SSL|PLAINTEXT)$/m);
    for (const variable of Object.keys(way.secrets)) {
      expect(out).toMatch(new RegExp(`^${variable} {2,}\\(a secret\\)$`, 'm'));
    }
  });

  it('takes the brokers from the key where nobody else says them', async () => {
    const { DIASPORA_BOOTSTRAP: _, ...env } = person.env;
    const { out } = await accounts.run(['connection', '--auth', 'diaspora', '--json'], { env });
    expect(JSON.parse(out)).toMatchObject({
      bootstrapBrokers: stack.bootstrap('OAUTH'),
      saslMechanism: 'OAUTHBEARER',
      signIn: { type: 'aws-iam', region: 'us-east-1' },
    });
  });

  it('asks nobody for a token before one must be shown', async () => {
    const env = { ...accounts.newcomer().env };
    expect((await accounts.run(['connection'], { env })).code).toBe(0);
    const end = await accounts.run(['connection', '--show-secrets'], { env });
    expect(end).toMatchObject({ code: 3, out: '' });
    expect(end.err).toContain('request-token');
  });

  it('shows the token that a module gives', async () => {
    const module = join(accounts.directory(), 'token.mjs');
    writeFileSync(module, "export default () => 'a-token-of-the-module';\n");
    const args = ['connection', '--auth', 'token', '--token-module', module];
    const hidden = await accounts.run(args, { env: person.env });
    expect(hidden.out).toMatch(/^DIASPORA_ACCESS_TOKEN {2,}\(a secret\)$/m);
    const shown = await runCommand([...args, '--show-secrets'], { env: person.env });
    expect(shown.out).toMatch(/^DIASPORA_ACCESS_TOKEN {2,}a-token-of-the-module$/m);
  });

  it.each([
    ['two forms at once', ['--kcat', '--java'], 2, /--kcat and --java exclude each other/],
    ['a file of what is no file', ['--out', '.'], 2, /--out goes with --java or --kcat/],
    ['a directory that is not there', ['--java', '--out', '/no/such/place'], 2, /ENOENT/],
    ['another Python client', ['--python', 'pykafka'], 2, /kafka-python, confluent-kafka/],
    ['a password that is not set', ['--auth', 'scram', '--username', 'me'], 2, /DIASPORA_PASSWORD/],
    ['a key without a certificate', ['--auth', 'mtls'], 2, /client certificate/],
  ])('refuses %s', async (_what, args, code, words) => {
    const end = await accounts.run(['connection', ...args], { env: person.env });
    expect(end).toMatchObject({ code, out: '' });
    expect(end.err).toMatch(words);
  });

  it("does not replace another's file", async () => {
    const way = await ways.scram();
    const out = accounts.directory();
    mkdirSync(join(out, 'sub'));
    writeFileSync(join(out, 'kcat.conf'), 'mine=1\n');
    const args = ['connection', ...way.args, '--kcat', '--out', out];
    const end = await accounts.run(args, { env: way.env });
    expect(end).toMatchObject({ code: 2, out: '' });
    expect(end.err).toContain('not overwritten');
    expect(readFileSync(join(out, 'kcat.conf'), 'utf8')).toBe('mine=1\n');
  });

  it('says that the service cannot be reached where it must be asked for a key', async () => {
    const { env } = await accounts.signedIn();
    const args = ['connection', '--auth', 'diaspora', '--service-url', 'http://127.0.0.1:1'];
    const end = await accounts.run(args, { env });
    expect(end).toMatchObject({ code: 4, out: '' });
    expect(end.err).toContain('ECONNREFUSED');
  });
});

it('No command has printed a secret of the stack that was not asked for', () => {
  accounts.expectNothingSecret();
});
