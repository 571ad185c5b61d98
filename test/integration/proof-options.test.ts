import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import winston from 'winston';
import {
  type DiagnosticEvent,
  DiasporaConsumer,
  DiasporaLogger,
  diagnosticsChannelName,
} from '../../src/index.ts';
import { DiasporaTransport } from '../../src/transports/winston.ts';
import { sharedStack } from '../shared-stack.ts';
import { buildPackage, startApp } from './built-package.ts';
import { newTopic } from './topic-content.ts';

type Given = Readonly<Record<string, unknown>>;

interface Mistake {
  readonly what: string;
  readonly given: Given;
  readonly says: string;
}

const broker = { bootstrapBrokers: 'localhost:9092' };
const topic = { topic: 'app-logs' };
const group = { groupId: 'readers' };
const secret = 'Ag3kZ8secret';
/** A path below a file, where no directory can be. */
const nowhere = join(import.meta.filename, 'letters');

/** Mistakes that can be made at every door. */
const ofAll: readonly Mistake[] = [
  {
    what: 'a misspelt option',
    given: { bootstrapBroker: 'localhost:9092' },
    says: 'Unknown option "bootstrapBroker". Did you mean "bootstrapBrokers"?',
  },
  {
    what: 'another case',
    given: { ...broker, clientID: 'me' },
    says: 'Unknown option "clientID". Did you mean "clientId"?',
  },
  {
    what: 'a misspelt option of TLS',
    given: { ...broker, tls: { rejectUnauthorised: false } },
    says: 'Unknown option "tls.rejectUnauthorised". Did you mean "tls.rejectUnauthorized"?',
  },
  {
    what: 'a misspelt secret',
    given: { ...broker, auth: { type: 'globus', refreshtoken: secret } },
    says: 'Unknown option "auth.refreshtoken". Did you mean "auth.refreshToken"?',
  },
  {
    what: 'a secret of the wrong type',
    given: { ...broker, auth: { type: 'globus', refreshToken: 12_345 } },
    says: 'Option "auth.refreshToken" takes a refresh token, got a value of type number.',
  },
  {
    what: 'text for a number',
    given: { ...broker, requestTimeoutMs: '30000' },
    says: 'Option "requestTimeoutMs" takes a whole number of milliseconds from 6,000 to 600,000, got "30000".',
  },
  {
    what: 'a number out of range',
    given: { ...broker, requestTimeoutMs: 30 },
    says: 'Option "requestTimeoutMs" takes a whole number of milliseconds from 6,000 to 600,000, got 30.',
  },
  {
    what: 'text for true',
    given: { ...broker, tls: 'true' },
    says: 'Option "tls" takes true, false or an object, got "true".',
  },
  {
    what: 'a way to sign in that there is not',
    given: { ...broker, auth: { type: 'kerberos' } },
    says: 'Option "auth.type" takes "globus", "diaspora", "scram", "aws-iam", "mtls", "token" or "none", got "kerberos".',
  },
  {
    what: 'a password left out',
    given: { ...broker, auth: { type: 'scram', username: 'me' } },
    says: 'No password: set the option "auth.password" or the environment variable DIASPORA_PASSWORD.',
  },
  {
    what: 'no broker',
    given: {},
    says: 'No broker: set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP to host:port.',
  },
  {
    what: 'a broker without a port',
    given: { bootstrapBrokers: ['localhost:9092', 'localhost'] },
    says: 'Option "bootstrapBrokers" takes "host:port", several by comma or as an array, got "localhost".',
  },
  {
    what: 'a token in plain text',
    given: { bootstrapBrokers: 'kafka.example.org:9092', tls: false },
    says: 'tls: false would send the access token in plain text to kafka.example.org: leave tls on, or set allowInsecureToken: true.',
  },
  {
    what: 'an issuer in plain text',
    given: { ...broker, auth: { type: 'globus', issuer: 'http://auth.example.org' } },
    says: 'Option "auth.issuer" takes an https URL (plain http on loopback only), got "http://auth.example.org".',
  },
  {
    what: 'a certificate that is not there',
    given: { ...broker, tls: { ca: '/nowhere/ca.pem' } },
    says: 'tls.ca: cannot read the file /nowhere/ca.pem (ENOENT).',
  },
  {
    what: 'a client certificate left out',
    given: { ...broker, auth: { type: 'mtls' } },
    says: 'auth.type "mtls" needs a client certificate: set tls.cert and tls.key, or tls.pfx.',
  },
  {
    what: 'a module that is not there',
    given: { ...broker, diagnostics: './no-such-module.js' },
    says: `Option "diagnostics": no module "./no-such-module.js" is found from ${process.cwd()}.`,
  },
];

/** Mistakes of whoever writes records. */
const ofWriters: readonly Mistake[] = [
  {
    what: 'a directory that cannot be made',
    given: { ...broker, deadLetter: nowhere },
    says: `Option "deadLetter": cannot write to the directory ${nowhere} (ENOTDIR). Make it writable, or name another.`,
  },
  {
    what: 'another number of acknowledgements',
    given: { ...broker, acks: -1 },
    says: 'Option "acks" takes "all" or 1, got -1.',
  },
  {
    what: 'another compression',
    given: { ...broker, compression: 'snappy' },
    says: 'Option "compression" takes "none" or "gzip" or "zstd", got "snappy".',
  },
  {
    what: 'a buffer that holds no two batches',
    given: { ...broker, bufferMaxBytes: 100_000 },
    says: 'Option "bufferMaxBytes" (100000) must hold at least two batches of "batchMaxBytes" (524288).',
  },
];

/** Mistakes of transports. */
const ofTransports: readonly Mistake[] = [
  {
    what: 'no topic',
    given: { ...broker, topic: undefined },
    says: 'No topic: set the option "topic" or the environment variable DIASPORA_TOPIC.',
  },
  {
    what: 'a topic that Kafka can not have',
    given: { ...broker, topic: 'app logs' },
    says: 'Option "topic" takes a topic name: 1 to 249 letters, digits, dots, hyphens or underscores, got "app logs".',
  },
  {
    what: 'two sources of a key',
    given: { ...broker, key: 'a', keyField: 'b' },
    says: 'Options "key" and "keyField" exclude each other: leave one out.',
  },
  {
    what: 'a transform that is not there',
    given: { ...broker, transform: 'no-such-package' },
    says: `Option "transform": no module "no-such-package" is found from ${process.cwd()}.`,
  },
];

const ofConsumers: readonly Mistake[] = [
  ...ofTransports.slice(0, 1),
  {
    what: 'no group',
    given: { ...broker, groupId: undefined },
    says: 'Option "groupId" takes the name of a consumer group, got nothing.',
  },
  {
    what: 'another place to begin',
    given: { ...broker, autoOffsetReset: 'none' },
    says: 'Option "autoOffsetReset" takes "earliest" or "latest", got "none".',
  },
];

let home: string;

beforeAll(async () => {
  await buildPackage();
  home = await mkdtemp(join(tmpdir(), 'no-tokens-'));
  return () => rm(home, { recursive: true });
});

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('DIASPORA_')) vi.stubEnv(name, undefined);
  }
  // No token of whoever runs the tests.
  vi.stubEnv('DIASPORA_USER_DIR', home);
  return () => vi.unstubAllEnvs();
});

/** The message of what is thrown. */
function refusal(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    expect(error).toMatchObject({ name: 'ConfigurationError', code: 'CONFIGURATION' });
    return error instanceof Error ? error.message : '';
  }
  throw new Error('Nothing was refused.');
}

/** A call as plain JavaScript makes it, with whatever options. */
function construct(front: new (options: never) => unknown, options: Given): unknown {
  return Reflect.construct(front, [options]);
}

describe("An app that misconfigures Pino's worker ends, and reads one sentence on stderr:", () => {
  it.each([...ofAll, ...ofWriters, ...ofTransports])('$what', async ({ given, says }) => {
    const args = [JSON.stringify({ ...topic, ...given })];
    const env = { DIASPORA_USER_DIR: home };
    const end = await startApp('test/support/apps/misconfigured.mjs', args, env).ended;
    expect(end.code).toBe(1);
    const sentences = end.stderr.split('\n').filter((line) => line.startsWith('Configuration'));
    expect(sentences).toEqual([`ConfigurationError: ${says}`]);
    expect(end.stderr).not.toContain(secret);
  });
});

describe("Winston's transport throws one sentence for", () => {
  it.each([...ofAll, ...ofWriters, ...ofTransports])('$what', ({ given, says }) => {
    expect(refusal(() => construct(DiasporaTransport, { ...topic, ...given }))).toBe(says);
  });
});

describe('DiasporaLogger throws one sentence for', () => {
  it.each([...ofAll, ...ofWriters])('$what', ({ given, says }) => {
    expect(refusal(() => construct(DiasporaLogger, given))).toBe(says);
  });

  it('a topic, which is for each record to name', () => {
    const message = refusal(() => construct(DiasporaLogger, { ...broker, ...topic }));
    expect(message).toMatch(/^Unknown option "topic"\. .*$/);
  });
});

describe('DiasporaConsumer throws one sentence for', () => {
  it.each([...ofAll, ...ofConsumers])('$what', ({ given, says }) => {
    const options = { ...topic, ...group, ...given };
    expect(refusal(() => construct(DiasporaConsumer, options))).toBe(says);
  });
});

describe('Without a token, one sentence tells how to get one', () => {
  const sentence =
    'No Globus refresh token: run "npx diaspora-logger request-token --save", or set DIASPORA_REFRESH, or DIASPORA_REFRESH_FILE to a file that holds it.';

  /** The first event that is about the token. */
  function firstRejection(): Promise<DiagnosticEvent> {
    return new Promise((resolve) => {
      const listen = (event: unknown): void => {
        if (isRejection(event)) resolve(event);
      };
      subscribe(diagnosticsChannelName, listen);
      onTestFinished(() => void unsubscribe(diagnosticsChannelName, listen));
    });
  }

  const isRejection = (event: unknown): event is DiagnosticEvent =>
    typeof event === 'object' &&
    event !== null &&
    'event' in event &&
    event.event === 'token-rejected';

  const connection = () => {
    const { env } = sharedStack();
    const { DIASPORA_BOOTSTRAP, DIASPORA_CA_FILE, DIASPORA_ISSUER } = env;
    return {
      bootstrapBrokers: DIASPORA_BOOTSTRAP,
      tls: { ca: DIASPORA_CA_FILE },
      auth: { type: 'globus', issuer: DIASPORA_ISSUER },
      diagnostics: 'silent',
    } as const;
  };

  it("to an app with Pino's worker, which ends by itself", async () => {
    const args = [JSON.stringify({ topic: await newTopic('options'), closeTimeoutMs: 500 })];
    const env = { ...sharedStack().env, DIASPORA_USER_DIR: home };
    const end = await startApp('test/support/apps/misconfigured.mjs', args, env).ended;
    expect(end.code).toBe(0);
    const [first, second, ...more] = end.stderr.trimEnd().split('\n');
    expect(first).toBe(`diaspora-logger CREDENTIALS_MISSING: ${sentence}`);
    expect(second).toMatch(/^diaspora-logger NOT_DELIVERED: /);
    expect(more).toEqual([]);
  });

  it('to an app with Winston', async () => {
    const told = firstRejection();
    const transport = new DiasporaTransport({ ...connection(), ...topic, closeTimeoutMs: 0 });
    const logger = winston.createLogger({ transports: [transport] });
    logger.info('message');
    expect(await told).toMatchObject({ code: 'CREDENTIALS_MISSING', message: sentence });
    logger.end();
    await once(logger, 'finish');
  });

  it('to DiasporaLogger', async () => {
    await using logger = new DiasporaLogger(connection());
    const asked = logger.partitionsFor('app-logs');
    await expect(asked).rejects.toMatchObject({ code: 'CREDENTIALS_MISSING', message: sentence });
  });

  it('to DiasporaConsumer', async () => {
    const told = firstRejection();
    const consumer = new DiasporaConsumer({ ...connection(), ...topic, ...group });
    expect(await told).toMatchObject({ code: 'CREDENTIALS_MISSING', message: sentence });
    await consumer.close();
  });
});
