/** Signing in with the service key: after one sign-in with Globus, nothing else is configured. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { DiasporaConsumer } from '../../src/consume/consumer.ts';
import type { ConnectionOptions } from '../../src/options.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { type Person, personAt } from '../unit/services/signed-in-client.ts';
import {
  consumerSays as consumer,
  deliverByAll,
  producerSays as producer,
  Said,
} from './ways/doors.ts';
import { useEnvironment } from './ways/environment.ts';
import { madeUpSecret } from './ways/way.ts';

const stack = sharedStack();
const doors = { producer, consumer };
const everyDoor = ['producer', 'consumer'] as const;
type ApiVersion = 'v3' | 'v1';

afterEach(() => stack.topicService.reset());

/** Somebody who signed in, and has this topic of their own. */
async function newcomer(apiVersion: ApiVersion): Promise<{ person: Person; topic: string }> {
  const username = `${uniqueTopic('newcomer')}@example.org`;
  const person = await personAt(stack.globus, stack.serviceUrl, { username });
  const client = person.client({ apiVersion });
  const name = uniqueTopic('own');
  await client.registerTopic(name);
  const topic = apiVersion === 'v3' ? `${await client.namespace()}.${name}` : name;
  useEnvironment({ ...person.env, DIASPORA_CA_FILE: stack.caFile });
  await stack.topicService.reset();
  return { person, topic };
}

const optionsOf = (apiVersion: ApiVersion) => ({ auth: { type: 'diaspora', apiVersion } }) as const;

const keyRequests = { v3: 'POST /api/v3/key', v1: 'POST /v1/create_key' } as const;

async function keysAskedFor(apiVersion: ApiVersion): Promise<number> {
  const requests = await stack.topicService.requests();
  return requests.filter(({ method, path }) => `${method} ${path}` === keyRequests[apiVersion])
    .length;
}

const silent = { diagnostics: 'silent' } as const;

/** Answers the offset of a record that is written. */
async function write(options: ConnectionOptions, topic: string): Promise<bigint | null> {
  await using logger = new DiasporaLogger({ ...options, ...silent });
  return (await logger.send(topic, 'at last')).offset;
}

/** Answers the offset of the first record, which somebody else has written. */
async function read(options: ConnectionOptions, topic: string): Promise<bigint | null> {
  const bootstrapBrokers = stack.bootstrap('INTERNAL');
  await write({ bootstrapBrokers, auth: { type: 'none' }, tls: false }, topic);
  const groupId = uniqueTopic('ways');
  const given = { ...options, ...silent, topic, groupId, autoOffsetReset: 'earliest' } as const;
  await using consumer = new DiasporaConsumer(given);
  for await (const { offset } of consumer) return offset;
  return null;
}

describe.each(['v3', 'v1'] as const)('With a service key of %s', (apiVersion) => {
  const options = optionsOf(apiVersion);

  it('records are delivered and read without any other configuration, and one key is made', async () => {
    const { topic } = await newcomer(apiVersion);
    const { texts, said } = await deliverByAll(options, topic);
    expect(texts).toEqual(['logger', 'pino', 'winston']);
    expect(said).toEqual([]);
    expect(await keysAskedFor(apiVersion)).toBe(1);
  });

  const refusedAtFirst = {
    producer: apiVersion === 'v3' ? 'TOKEN_REFUSED_BY_BROKER' : 'SIGN_IN_REFUSED',
    // kafkajs does not tell what it was that was refused.
    consumer: 'SIGN_IN_REFUSED',
  } as const;

  it.each(everyDoor)('a %s waits until the brokers know a new key', async (door) => {
    const { topic } = await newcomer(apiVersion);
    await stack.topicService.set({ keyDelayMs: 3_000 });
    using said = new Said();
    const done = door === 'producer' ? write(options, topic) : read(options, topic);
    expect(await said.first()).toMatchObject({
      code: refusedAtFirst[door],
      message: expect.stringContaining(
        'The service key may be so new that the brokers do not know it yet, or a newer one may have been made elsewhere.',
      ),
    });
    expect(await done).toBe(0n);
    // A new key is expected to be refused for a while.
    expect(said.codes()).not.toContain('SERVICE_KEY_REFUSED');
    expect(await keysAskedFor(apiVersion)).toBeGreaterThan(0);
  });

  it('that another machine has put into the store, it is taken up', async () => {
    const { person, topic } = await newcomer(apiVersion);
    const other = await personAt(stack.globus, stack.serviceUrl, {
      username: person.signedIn.username,
    });
    const key = await other.client({ apiVersion }).createKey();
    const client = person.client({ apiVersion });
    if (key.version === 'v1') await client.putSecretKey(key.secretKey);
    else {
      const { secretKey, accessKey, endpoint } = key;
      await client.putSecretKey(secretKey, { accessKey, endpoint });
    }
    await stack.topicService.reset();
    // v1's endpoint is not handed over: a machine that has only the key must be told.
    const brokers = apiVersion === 'v1' ? { bootstrapBrokers: stack.bootstrap('SCRAM') } : {};
    const { texts, said } = await deliverByAll({ ...options, ...brokers }, topic);
    expect({ texts, said }).toEqual({ texts: ['logger', 'pino', 'winston'], said: [] });
    expect(await keysAskedFor(apiVersion)).toBe(0);
  });

  it.each(everyDoor)('a %s that nobody signed in for says what to do', async (door) => {
    const { topic } = await newcomer(apiVersion);
    useEnvironment({ ...stack.env, DIASPORA_BOOTSTRAP: '' });
    expect(await doors[door](options, topic)).toMatchObject({
      code: 'CREDENTIALS_MISSING',
      message: expect.stringContaining('npx diaspora-logger request-token --save'),
    });
  });

  it.each(everyDoor)('a %s says that the service cannot be reached', async (door) => {
    const { person, topic } = await newcomer(apiVersion);
    const nobody = { DIASPORA_SERVICE_URL: 'http://127.0.0.1:1' };
    useEnvironment({ ...person.env, ...nobody, DIASPORA_CA_FILE: stack.caFile });
    expect(await doors[door](options, topic)).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/127\.0\.0\.1:1.*ECONNREFUSED/),
    });
  });

  it.each(everyDoor)('a %s says the service’s own words where that refuses', async (door) => {
    const { person, topic } = await newcomer(apiVersion);
    const other = await stack.globus.signIn('somebody-else@example.org');
    const env = { ...person.env, DIASPORA_SUBJECT: other.subject };
    useEnvironment({ ...env, DIASPORA_CA_FILE: stack.caFile });
    expect(await doors[door](options, topic)).toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining(
        'The access token belongs to another subject than the subject claim names (HTTP 403).',
      ),
    });
  });
});

describe('A key that was ended elsewhere', () => {
  it('of v3 is replaced by the present one, which the service tells', async () => {
    const { person, topic } = await newcomer('v3');
    const client = person.client();
    const ended = await client.createKey();
    if (ended.version !== 'v3') throw new Error('That is another key.');
    const other = await personAt(stack.globus, stack.serviceUrl, {
      username: person.signedIn.username,
    });
    const present = await other.client().createKey();
    await stack.topicService.reset();
    const { texts, said } = await deliverByAll(optionsOf('v3'), topic);
    expect({ texts, said }).toEqual({ texts: ['logger', 'pino', 'winston'], said: [] });
    expect(await client.getSecretKey()).toBe(present.secretKey);
    expect(await keysAskedFor('v3')).toBe(1);
  });

  it.each(everyDoor)('of v1 is refused, and the %s says how to get another', async (door) => {
    const { person, topic } = await newcomer('v1');
    await person.client({ apiVersion: 'v1' }).createKey();
    await person.client({ apiVersion: 'v1' }).putSecretKey(madeUpSecret());
    await stack.topicService.reset();
    const options = { ...optionsOf('v1'), bootstrapBrokers: stack.bootstrap('SCRAM') };
    const keyRefused = await doors[door](options, topic, 'SERVICE_KEY_REFUSED');
    expect(keyRefused.message).toMatch(
      /^The brokers do not accept the stored password of \S+: a newer one may have been made elsewhere\. To make a new one, which ends all earlier ones, run "npx diaspora-logger keys create"/,
    );
    const refused = await doors[door](options, topic, 'SIGN_IN_REFUSED');
    expect(refused.message).toContain('or a newer one may have been made elsewhere.');
    expect(inspect([keyRefused, refused])).not.toContain('made-up-');
    // It would end the other machine's.
    expect(await keysAskedFor('v1')).toBe(0);
  });

  it('of v1 is given up for a newer one that comes into the store, without a restart', async () => {
    const { person, topic } = await newcomer('v1');
    const client = person.client({ apiVersion: 'v1' });
    const good = await client.createKey();
    await client.putSecretKey(madeUpSecret());
    using said = new Said();
    const options = { ...optionsOf('v1'), bootstrapBrokers: stack.bootstrap('SCRAM') };
    const written = write(options, topic);
    await said.first('SERVICE_KEY_REFUSED');
    await client.putSecretKey(good.secretKey);
    expect(await written).toBe(0n);
  });
});
