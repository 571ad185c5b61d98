import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventService } from '../../src/auth/globus-service.ts';
import { confidentialClient } from '../../stack/globus-facts.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { pythonWith } from '../support/python.ts';
import { type Person, personAt } from '../unit/services/signed-in-client.ts';

const stack = sharedStack();

/** With a namespace of their own. */
const newPerson = (options: { isSaved?: boolean } = {}): Promise<Person> =>
  personAt(stack.globus, stack.serviceUrl, {
    username: `p-${randomUUID()}@example.org`,
    ...options,
  });

afterEach(() => stack.topicService.reset());

describe('a client of v3 makes in Kafka', () => {
  it('topics, whose records are gone once they are recreated', async () => {
    const { client } = await newPerson();
    const diaspora = client();
    const topic = `${await diaspora.namespace()}.numbers`;
    expect(await diaspora.listTopics()).toEqual([]);
    expect(await diaspora.registerTopic('numbers')).toMatchObject({
      status: 'success',
      topics: ['numbers'],
    });
    expect(await diaspora.registerTopic('numbers')).toMatchObject({ status: 'no-op' });
    expect(await stack.topics()).toContain(topic);
    expect(await diaspora.recreateTopic('numbers')).toMatchObject({
      status: 'success',
      topics: ['numbers'],
    });
    expect(await stack.topics()).toContain(topic);
    expect(await diaspora.recreateTopic('letters')).toMatchObject({ status: 'no-op' });
    expect(await diaspora.unregisterTopic('numbers')).toMatchObject({
      status: 'success',
      topics: [],
    });
    expect(await diaspora.unregisterTopic('numbers')).toMatchObject({ status: 'no-op' });
    expect(await stack.topics()).not.toContain(topic);
  });

  it('keys, of which the last one counts, wherever it was made', async () => {
    const { client, signedIn } = await newPerson();
    const first = await client().retrieveKey();
    expect(first).toMatchObject({ version: 'v3', endpoint: stack.bootstrap('OAUTH'), fresh: true });
    const elsewhere = await personAt(stack.globus, stack.serviceUrl, {
      username: signedIn.username,
    });
    expect(await elsewhere.client().retrieveKey()).toEqual({ ...first, fresh: false });
    const second = await elsewhere.client().createKey();
    expect(second).toMatchObject({ version: 'v3', fresh: true });
    expect(second.secretKey).not.toBe(first.secretKey);
    expect(await client().getSecretKey()).toBe(first.secretKey);
    expect(await elsewhere.client().connectionDetails()).toEqual({
      bootstrapBrokers: stack.bootstrap('OAUTH'),
      securityProtocol: 'SASL_SSL',
      saslMechanism: 'OAUTHBEARER',
      region: 'us-east-1',
      accessKey: second.version === 'v3' && second.accessKey,
      secretKey: second.secretKey,
      namespace: `ns-${signedIn.subject.slice(-12)}`,
      subject: signedIn.subject,
    });
  });
});

describe('a client of v1 makes in Kafka', () => {
  it('topics, which are everybody’s names and one’s own', async () => {
    const [ann, bob] = [await newPerson(), await newPerson()];
    const [anns, bobs] = [ann, bob].map(({ client }) => client({ apiVersion: 'v1' }));
    const topic = uniqueTopic('of.v1');
    expect(await anns?.registerTopic(topic)).toMatchObject({ status: 'success', topics: [topic] });
    expect(await anns?.registerTopic(topic)).toMatchObject({ status: 'no-op' });
    expect(await stack.topics()).toContain(topic);
    await expect(bobs?.registerTopic(topic)).rejects.toMatchObject({
      name: 'ServiceError',
      code: 'SERVICE_REFUSED',
      status: 409,
      message: expect.stringContaining(`refused to register the topic "${topic}": `),
    });
    expect(await bobs?.listTopics()).toEqual([]);
    expect(await anns?.listTopics()).toEqual([topic]);
    expect(await anns?.unregisterTopic(topic)).toMatchObject({ status: 'success', topics: [] });
    expect(await anns?.unregisterTopic(topic)).toMatchObject({ status: 'no-op' });
  });

  it('a password, which it names the SCRAM listener for', async () => {
    const { client, signedIn } = await newPerson();
    const key = await client({ apiVersion: 'v1' }).createKey();
    expect(await client({ apiVersion: 'v1' }).connectionDetails()).toMatchObject({
      bootstrapBrokers: stack.bootstrap('SCRAM'),
      saslMechanism: 'SCRAM-SHA-512',
      username: signedIn.subject,
      password: key.secretKey,
    });
    expect(await client({ apiVersion: 'v1' }).retrieveKey()).toEqual({ ...key, fresh: false });
  });
});

describe('claiming a topic', () => {
  it('is done once, is no-op for one’s own, and refused for another’s and for a bad name', async () => {
    const [ann, bob] = [await newPerson(), await newPerson()];
    const topic = uniqueTopic('claimed').replaceAll('-', '_');
    expect(await ann.client().claimTopic(topic)).toEqual({
      status: 'success',
      message: expect.stringContaining(topic),
      topics: [topic],
    });
    expect(await ann.client().claimTopic(topic)).toMatchObject({ status: 'no-op' });
    expect(await ann.client({ apiVersion: 'v1' }).listTopics()).toEqual([topic]);
    await expect(bob.client().claimTopic(topic)).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
      status: 409,
      message: expect.stringContaining(`refused to claim the topic "${topic}": `),
    });
    await expect(bob.client().claimTopic('not-this')).rejects.toThrow(
      /letters \(A to Z, a to z\), digits and underscores \(HTTP 400\)/,
    );
  });
});

describe('a service', () => {
  it('that is not well is asked again, and named where it stays so', async () => {
    const { client } = await newPerson();
    await stack.topicService.set({
      fault: { kind: 'status', status: 503, retryAfter: '0', times: 2 },
    });
    expect(await client().listTopics()).toEqual([]);
    expect((await stack.topicService.requests()).map(({ status }) => status)).toEqual([
      503, 503, 200,
    ]);
    await stack.topicService.set({ fault: { kind: 'disconnect', times: 1 } });
    expect(await client().listTopics()).toEqual([]);
    await stack.topicService.set({ fault: { kind: 'hang' } });
    await expect(client({ requestTimeoutMs: 100 }).listTopics()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retriable: true,
    });
    await stack.topicService.set({ fault: { kind: 'garbage' } });
    await expect(client().listTopics()).rejects.toMatchObject({ code: 'SERVICE_ANSWER_UNUSABLE' });
  });

  it('is asked as somebody again after the next sign-in', async () => {
    const { client, store, signedIn } = await newPerson();
    const diaspora = client();
    await diaspora.listTopics();
    await diaspora.logout();
    await expect(diaspora.listTopics()).rejects.toMatchObject({ code: 'SUBJECT_UNKNOWN' });
    // Another process signed in anew.
    const again = await stack.globus.signIn(signedIn.username);
    await store.write({
      resource_server: eventService,
      identity_id: again.subject,
      scope: '',
      access_token: again.accessToken,
      refresh_token: again.refreshToken,
      expires_at_seconds: 0,
      token_type: 'Bearer',
    });
    expect(await diaspora.listTopics()).toEqual([]);
  });

  it('is told another person’s subject, and says what to do', async () => {
    const [ann, bob] = [await newPerson(), await newPerson()];
    const diaspora = ann.client({ subject: bob.signedIn.subject });
    await expect(diaspora.listTopics()).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
      status: 403,
      message: expect.stringContaining('set DIASPORA_SUBJECT'),
    });
  });

  it('serves a confidential client as itself', async () => {
    const { client, env } = await newPerson({ isSaved: false });
    const { clientId, clientSecret } = confidentialClient;
    const diaspora = client({
      env: { ...env, DIASPORA_SDK_CLIENT_ID: clientId, DIASPORA_SDK_CLIENT_SECRET: clientSecret },
    });
    const topic = uniqueTopic('svc');
    expect(await diaspora.registerTopic(topic)).toMatchObject({ status: 'success' });
    expect(await diaspora.retrieveKey()).toMatchObject({ version: 'v3' });
    await diaspora.unregisterTopic(topic);
  });
});

describe('the token store is', () => {
  const run = promisify(execFile);
  let python: string;
  beforeAll(async () => {
    python = await pythonWith('requirements.txt');
  });

  /** What globus_sdk 4 reads, as the Python SDK has it read. */
  const reading = `
import json, sys
from globus_sdk.token_storage import SQLiteTokenStorage
storage = SQLiteTokenStorage(filepath=sys.argv[1], namespace=sys.argv[2])
rows = storage.get_token_data_by_resource_server()
print(json.dumps({name: row.to_dict(include_extra=True) for name, row in rows.items()}))
`;

  it('read by globus_sdk 4 with the key in it, and without those of other places', async () => {
    const { client, store, signedIn } = await newPerson();
    const v3 = await client().createKey();
    await client({ apiVersion: 'v1' }).createKey();
    const { stdout } = await run(python, ['-c', reading, store.path, store.namespace]);
    expect(JSON.parse(stdout)).toEqual({
      'auth.globus.org': expect.objectContaining({ identity_id: signedIn.subject }),
      [eventService]: {
        resource_server: eventService,
        identity_id: signedIn.subject,
        scope: 'action_all',
        access_token: signedIn.accessToken,
        refresh_token: signedIn.refreshToken,
        expires_at_seconds: expect.any(Number),
        token_type: 'Bearer',
        access_key: v3.version === 'v3' && v3.accessKey,
        secret_key: v3.secretKey,
        endpoint: stack.bootstrap('OAUTH'),
        create_date: expect.any(String),
      },
    });
  });

  it('left by globus_sdk 4 without the key when that renews a token: the key is asked for again', async () => {
    const { client, store } = await newPerson();
    const key = await client().retrieveKey();
    await run(python, [
      '-c',
      `
import sys
from globus_sdk.token_storage import SQLiteTokenStorage
storage = SQLiteTokenStorage(filepath=sys.argv[1], namespace=sys.argv[2])
storage.store_token_data_by_resource_server(storage.get_token_data_by_resource_server())
`,
      store.path,
      store.namespace,
    ]);
    expect(await client().getSecretKey()).toBeNull();
    expect(await client().retrieveKey()).toEqual({ ...key, fresh: false });
    expect(await client().getSecretKey()).toBe(key.secretKey);
  });
});
