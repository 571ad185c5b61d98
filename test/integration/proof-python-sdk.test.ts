import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DiasporaClient } from '../../src/services/diaspora-client.ts';
import { personNamed } from '../../stack/globus-facts.ts';
import { startStack } from '../../stack/stack.ts';
import { pythonWith } from '../support/python.ts';
import { buildPackage } from './built-package.ts';
import { localServicePort, Machine, type Surroundings } from './machine.ts';

let surroundings: Surroundings;

beforeAll(async () => {
  await buildPackage();
  const python = await pythonWith('requirements.txt');
  const pythonV1 = await pythonWith('requirements-v1.txt');
  const directory = await mkdtemp(join(tmpdir(), 'python-sdk-'));
  const stack = await startStack({ topicService: { port: localServicePort } });
  surroundings = { stack, directory, python, pythonV1 };
  return async () => {
    await stack.stop();
    await rm(directory, { recursive: true });
  };
});

const recordsOf = (from: string): object[] =>
  Array.from({ length: 100 }, (_, i) => ({ from, i, text: 'ä観測😀' }));

const inAnyOrder = (values: readonly unknown[]) => expect.arrayContaining([...values]);

const success = { status: 'success' };
const noOp = { status: 'no-op' };

/** Nobody answers there: whoever works all the same has all that it needs. */
const noService = {
  DIASPORA_SERVICE_URL: 'http://localhost:1',
  DIASPORA_ISSUER: 'http://localhost:1',
};

describe('One storage serves the Python SDK and this package, which finds', () => {
  it('the tokens that the SDK has signed in for', async () => {
    const machine = await Machine.bare(surroundings);
    using sdk = await machine.sdk('python-first@example.org');
    await using client = machine.client();
    expect(await client.subjectOpenid()).toBe(await sdk.call('subject'));
    expect(await client.namespace()).toBe(await sdk.call('namespace'));
    expect(await client.listTopics()).toEqual([]);
    await sdk.call('logout');
    await using later = machine.client();
    await expect(later.listTopics()).rejects.toThrow(/request-token/);
  });

  it('and leaves its own to it', async () => {
    const username = 'node-first@example.org';
    const machine = await Machine.signedIn(surroundings, username);
    const { subject } = personNamed(username);
    using sdk = await machine.sdk();
    expect(await sdk.call('subject')).toBe(subject);
    using sdkV1 = await machine.sdkV1();
    expect(await sdkV1.call('subject')).toBe(subject);
    await using client = machine.client();
    await client.logout();
    await expect(machine.sdk()).rejects.toThrow('The SDK asks for a sign-in.');
  });
});

describe('The Python SDK and this package share, in version 3 of the interface,', () => {
  const username = 'ada@example.org';
  const namespace = `ns-${personNamed(username).subject.slice(-12)}`;
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.signedIn(surroundings, username);
  });

  it('topics', async () => {
    using sdk = await machine.sdk();
    await using client = machine.client();
    expect(await sdk.call('create_user')).toMatchObject({ ...success, namespace });
    expect(await sdk.call('create_topic', 'of-python')).toMatchObject(success);
    expect(await client.registerTopic('of-node')).toMatchObject(success);
    expect(await client.registerTopic('of-python')).toMatchObject(noOp);
    expect(await client.registerTopic('for-a-while')).toMatchObject(success);
    expect(await sdk.call('recreate_topic', 'for-a-while')).toMatchObject(success);
    expect(await client.recreateTopic('of-python')).toMatchObject(success);
    expect(await sdk.call('delete_topic', 'for-a-while')).toMatchObject(success);
    expect(await client.unregisterTopic('for-a-while')).toMatchObject(noOp);
    const topics = ['of-node', 'of-python'];
    expect((await client.listTopics()).sort()).toEqual(topics);
    expect(await sdk.call('list_namespaces')).toMatchObject({
      namespaces: { [namespace]: inAnyOrder(topics) },
    });
    expect(await surroundings.stack.topics()).toEqual(
      inAnyOrder(topics.map((topic) => `${namespace}.${topic}`)),
    );
  });

  /** As the SDK names its fields. */
  async function keyOf(client: DiasporaClient) {
    const key = await client.retrieveKey();
    if (key.version !== 'v3') throw new Error('A key of another version.');
    const { accessKey: access_key, secretKey: secret_key, endpoint, fresh } = key;
    return { access_key, secret_key, endpoint, fresh };
  }

  it('the key', async () => {
    using sdk = await machine.sdk();
    await using client = machine.client();
    await client.createKey();
    const made = await keyOf(client);
    expect(made.endpoint).toBe(surroundings.stack.bootstrap('OAUTH'));
    // What the SDK calls so answers the present key where there is one.
    expect(await sdk.call('create_key')).toMatchObject({ ...made, fresh: false });
    await sdk.call('delete_key');
    const next = await sdk.call('create_key');
    expect(next).toMatchObject({ fresh: true });
    const other = await Machine.signedIn(surroundings, username);
    await using elsewhere = other.client();
    expect(next).toMatchObject({ ...(await keyOf(elsewhere)), fresh: true });
  });

  it('records, whoever has ended the key that the other one holds', async () => {
    const topic = `${namespace}.of-python`;
    using sdk = await machine.sdk();
    const [ofPython, ofNode] = [recordsOf('Python'), recordsOf('Node')];
    expect(await sdk.call('produce', topic, ofPython)).toHaveLength(ofPython.length);
    await machine.produce('v3', topic, ofNode);
    const all = [...ofPython, ...ofNode];
    const [inPython, inNode] = await Promise.all([
      sdk.call('consume', topic, all.length),
      machine.consume('v3', topic, all.length),
    ]);
    expect(inPython).toEqual(all);
    expect(inNode).toEqual(all);
  });

  it('a key that is put on a second machine', async () => {
    using sdk = await machine.sdk();
    const key = await sdk.call('create_key');
    const { access_key, secret_key, endpoint } = Object(key);
    const second = await Machine.signedIn(surroundings, username);
    await using client = second.client();
    expect(await client.getSecretKey()).toBeNull();
    await client.putSecretKey(secret_key, { accessKey: access_key, endpoint });
    expect(await client.getSecretKey()).toBe(secret_key);
    const topic = `${namespace}.of-node`;
    const record = { from: 'the second machine' };
    await second.produce('v3', topic, [record], noService);
    expect(await sdk.call('consume', topic, 1)).toEqual([record]);
  });
});

describe('The Python SDK and this package share, in version 1 of the interface,', () => {
  const username = 'grace@example.org';
  const { subject } = personNamed(username);
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.signedIn(surroundings, username);
  });

  it('topics', async () => {
    using sdk = await machine.sdkV1();
    await using client = machine.client('v1');
    expect(await sdk.call('register_topic', 'python.v1')).toMatchObject(success);
    expect(await client.registerTopic('node-v1')).toMatchObject(success);
    expect(await client.registerTopic('python.v1')).toMatchObject(noOp);
    expect(await sdk.call('register_topic', 'node-v1')).toMatchObject(noOp);
    expect(await client.registerTopic('for-a-while')).toMatchObject(success);
    expect(await sdk.call('unregister_topic', 'for-a-while')).toMatchObject(success);
    expect(await client.unregisterTopic('for-a-while')).toMatchObject(noOp);
    const topics = ['node-v1', 'python.v1'];
    expect((await client.listTopics()).sort()).toEqual(topics);
    expect(await sdk.call('list_topics')).toMatchObject({ topics: inAnyOrder(topics) });
  });

  it('the key, whoever of them has made it', async () => {
    using sdk = await machine.sdkV1();
    await using client = machine.client('v1');
    expect(await client.getSecretKey()).toBeNull();
    expect(await sdk.call('get_secret_key')).toBeNull();
    const made = await client.createKey();
    expect(made).toMatchObject({ version: 'v1', username: subject, fresh: true });
    const { secretKey } = made;
    expect(await sdk.call('get_secret_key')).toBe(secretKey);
    expect(await sdk.call('retrieve_key')).toEqual({ username: subject, password: secretKey });
    const next = await sdk.call('create_key');
    await using later = machine.client('v1');
    const password = await later.getSecretKey();
    expect(next).toEqual({ username: subject, password });
    expect(password).not.toBe(secretKey);
    expect(await later.retrieveKey()).toMatchObject({ secretKey: password, fresh: false });
  });

  it('records', async () => {
    using sdk = await machine.sdkV1();
    const [ofPython, ofNode] = [recordsOf('Python'), recordsOf('Node')];
    expect(await sdk.call('produce', 'python.v1', ofPython)).toHaveLength(ofPython.length);
    await machine.produce('v1', 'python.v1', ofNode);
    const all = [...ofPython, ...ofNode];
    const [inPython, inNode] = await Promise.all([
      sdk.call('consume', 'python.v1', all.length),
      machine.consume('v1', 'python.v1', all.length),
    ]);
    expect(inPython).toEqual(all);
    expect(inNode).toEqual(all);
  });

  it('a key that is put on other machines, which ends nothing on the first one', async () => {
    using sdk = await machine.sdkV1();
    const password = await sdk.call('get_secret_key');
    const second = await Machine.signedIn(surroundings, username);
    await using client = second.client('v1');
    await client.putSecretKey(String(password));
    await second.produce('v1', 'node-v1', [{ machine: 2 }], noService);
    const third = await Machine.signedIn(surroundings, username);
    using other = await third.sdkV1();
    await other.call('put_secret_key', await client.getSecretKey());
    await other.call('produce', 'node-v1', [{ machine: 3 }]);
    await sdk.call('produce', 'node-v1', [{ machine: 1 }]);
    const records = await machine.consume('v1', 'node-v1', 3);
    expect(records).toEqual([{ machine: 2 }, { machine: 3 }, { machine: 1 }]);
  });

  it('the storage, where refresh tokens are replaced as they are used', async () => {
    const before = await machine.row();
    await surroundings.stack.globus.set({ rotateRefreshTokens: true });
    await using client = machine.client('v1');
    await client.listTopics();
    const after = await machine.row();
    expect(after?.refresh_token).not.toBe(before?.refresh_token);
    using sdk = await machine.sdkV1();
    expect(await sdk.call('get_secret_key')).toBe(await client.getSecretKey());
    expect(await sdk.call('list_topics')).toMatchObject(success);
  });
});
