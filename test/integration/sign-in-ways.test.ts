/** Every way to sign in, at every door, on a listener of the real broker: right, and with credentials that are wrong. */
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { DiasporaConsumer } from '../../src/consume/consumer.ts';
import { ConfigurationError } from '../../src/errors.ts';
import type { ConnectionOptions } from '../../src/options.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { DiasporaClient } from '../../src/services/diaspora-client.ts';
import type { AccessKey } from '../../src/services/service-key.ts';
import openPino from '../../src/transports/pino.ts';
import { DiasporaTransport } from '../../src/transports/winston.ts';
import { createCertificates } from '../../stack/certificates.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { accessKeyWay, containerWay, profileWay } from './ways/aws.ts';
import { consumerSays, deliverByAll, producerSays } from './ways/doors.ts';
import { useEnvironment } from './ways/environment.ts';
import { openWay, pemWay, pfxWay, scramWay } from './ways/passwords-and-certificates.ts';
import { confidentialClientWay, refreshTokenWay, tokenModuleWay } from './ways/tokens.ts';
import type { Attempt, Way, WrongAttempt } from './ways/way.ts';

const stack = sharedStack();
let accessKey: AccessKey;
let subject = '';

/** A person with an access key. */
beforeAll(async () => {
  const signedIn = await stack.globus.signIn(`${uniqueTopic('ways')}@example.org`);
  subject = signedIn.subject;
  const env = { ...stack.env, DIASPORA_REFRESH: signedIn.refreshToken };
  await using client = new DiasporaClient({ subject, env });
  const key = await client.createKey();
  if (key.version !== 'v3') throw new Error('That is another key.');
  accessKey = key;
});

const ways: readonly Way[] = [
  refreshTokenWay(stack),
  confidentialClientWay(),
  scramWay(stack, 'SCRAM-SHA-256'),
  scramWay(stack, 'SCRAM-SHA-512'),
  pemWay(stack),
  pfxWay(stack),
  accessKeyWay(() => accessKey),
  profileWay(() => accessKey),
  containerWay(() => accessKey),
  tokenModuleWay(stack),
  openWay(stack),
];

async function newTopic(owner?: string): Promise<string> {
  const topic = uniqueTopic('ways');
  await stack.createTopic(topic, owner === undefined ? {} : { owner });
  return topic;
}

/** Sets the environment, and answers the options. */
async function configured(attempt: Attempt | Promise<Attempt>): Promise<ConnectionOptions> {
  const { options, env = {} } = await attempt;
  useEnvironment({ ...stack.env, ...env });
  return options;
}

const texts = ['logger', 'pino', 'winston'];

describe.each(ways)('$name', ({ name, owner, right, wrong }) => {
  it('delivers by Pino, by Winston and directly, and reads it all', async () => {
    const topic = await newTopic(name.startsWith('AWS') ? subject : owner);
    const options = await configured(right());
    expect(await deliverByAll(options, topic)).toEqual({ texts, said: [] });
  });

  it.each([wrong].flat())('with $what: producer and consumer say what to do', (attempt) =>
    expectSaid(attempt),
  );
});

async function expectSaid({ make, producer, consumer }: WrongAttempt): Promise<void> {
  const topic = await newTopic();
  const options = await configured(make());
  const said = [await producerSays(options, topic), await consumerSays(options, topic)];
  expect(said.map(({ code }) => code)).toEqual([producer.code, consumer.code]);
  expect(said[0]?.message).toMatch(producer.says);
  expect(said[1]?.message).toMatch(consumer.says);
  expect(inspect(said, { depth: 9 })).not.toContain('made-up-');
}

describe('A broker by a name that its certificate does not hold', () => {
  const optionsOf = (tls: object): ConnectionOptions => ({
    bootstrapBrokers: stack.bootstrap('SCRAM'),
    auth: { type: 'scram', ...stack.scramUser },
    tls: { ca: stack.caFile, servername: 'broker.example.org', ...tls },
  });

  it('is refused by producer and consumer', async () => {
    useEnvironment({});
    const options = optionsOf({});
    for (const say of [producerSays, consumerSays]) {
      expect(await say(options, 'logs')).toMatchObject({
        code: 'BROKER_CERTIFICATE_REFUSED',
        message: expect.stringMatching(
          /Hostname\/IP does not match .* Connect by a name that it holds, or set tls\.servername\./,
        ),
      });
    }
  });

  it('is taken where that check is off, which is said once by each', async () => {
    useEnvironment({});
    const topic = await newTopic();
    const { texts: found, said } = await deliverByAll(optionsOf({ checkHostname: false }), topic);
    expect(found).toEqual(texts);
    expect(said).toHaveLength(4);
    for (const line of said) expect(line).toMatch(/^TLS_CHECK_OFF: tls\.checkHostname is false: /);
  });

  it('is taken without any check where that is asked for, which is said once by each', async () => {
    useEnvironment({});
    const topic = await newTopic();
    const { ca } = await createCertificates('other');
    const options = optionsOf({ ca, rejectUnauthorized: false });
    const { texts: found, said } = await deliverByAll(options, topic);
    expect(found).toEqual(texts);
    expect(said).toHaveLength(4);
    for (const line of said) {
      expect(line).toMatch(/^TLS_CHECK_OFF: tls\.rejectUnauthorized is false: /);
    }
  });

  it('is refused all the same where another authority has signed it', async () => {
    useEnvironment({});
    const { ca } = await createCertificates('other');
    const options = optionsOf({ ca, checkHostname: false });
    for (const say of [producerSays, consumerSays]) {
      expect(await say(options, 'logs', 'BROKER_CERTIFICATE_REFUSED')).toMatchObject({
        message: expect.stringMatching(/is not trusted: .* Set tls\.ca or DIASPORA_CA_FILE /),
      });
    }
  });
});

describe('A PKCS12 file whose passphrase is', () => {
  const { pfxFile: pfx } = stack.clientCertificate;
  const refused = 'The passphrase of tls.pfx is another one: check tls.passphrase';

  it.each([
    ['missing', {}, 'tls.pfx has a passphrase: set tls.passphrase or DIASPORA_TLS_PASSPHRASE.'],
    ['another', { DIASPORA_TLS_PASSPHRASE: 'hunter2' }, `${refused} or DIASPORA_TLS_PASSPHRASE.`],
  ])('%s is refused at start, at every door', (_what, env, message) => {
    useEnvironment(env);
    const auth = { type: 'mtls' } as const;
    const options = { bootstrapBrokers: stack.bootstrap('MTLS'), auth, tls: { pfx } };
    for (const open of [
      () => openPino({ ...options, topic: 'logs' }),
      () => new DiasporaTransport({ ...options, topic: 'logs' }),
      () => new DiasporaLogger(options),
      () => new DiasporaConsumer({ ...options, topic: 'logs', groupId: 'readers' }),
    ]) {
      expect(open).toThrow(new ConfigurationError(message, 'tls.passphrase'));
    }
  });
});
