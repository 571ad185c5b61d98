/** The stack's topic service in front of the real Kafka: both versions of the interface, keys, owners, introspection. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import {
  awsToken,
  byPassword,
  byToken,
  type Call,
  callsOf,
  claim,
  writeAndRead,
} from './service-calls.ts';

const stack = sharedStack();
const { serviceUrl, topicService } = stack;

afterEach(async () => {
  await topicService.reset();
  await stack.globus.reset();
});

interface SignedInCaller {
  readonly subject: string;
  readonly accessToken: string;
  readonly username: string;
  readonly namespace: string;
  readonly call: Call;
}

/** Somebody whom no other test knows. */
async function somebody(): Promise<SignedInCaller> {
  const signedIn = await stack.globus.signIn(`${uniqueTopic('person')}@example.org`);
  return {
    ...signedIn,
    namespace: `ns-${signedIn.subject.slice(-12)}`,
    call: callsOf(serviceUrl, signedIn),
  };
}

const refused = (status: number, code: string, kind = 'error') => ({
  status,
  body: { status: kind, code, reason: expect.any(String), message: expect.any(String) },
});

describe('v3', () => {
  it('makes a namespace, lists it, and deletes it with its topics', async () => {
    const { subject, namespace, call } = await somebody();
    expect(await call('GET', '/api/v3/namespace')).toMatchObject({
      status: 200,
      body: { status: 'success', namespaces: {} },
    });
    for (let times = 0; times < 2; times += 1) {
      expect(await call('POST', '/api/v3/user')).toMatchObject({
        status: 200,
        body: { status: 'success', subject, namespace },
      });
    }
    await call('POST', `/api/v3/${namespace}/one`);
    expect((await call('GET', '/api/v3/namespace')).body['namespaces']).toEqual({
      [namespace]: ['one'],
    });
    expect(await stack.topics()).toContain(`${namespace}.one`);
    expect(await call('DELETE', '/api/v3/user')).toMatchObject({ body: { status: 'success' } });
    expect((await call('GET', '/api/v3/namespace')).body['namespaces']).toEqual({});
    expect(await stack.topics()).not.toContain(`${namespace}.one`);
  });

  it('registers, recreates and deletes topics, each again without harm', async () => {
    const { namespace, accessToken, call } = await somebody();
    await call('POST', '/api/v3/user');
    const path = `/api/v3/${namespace}/beam-line_1`;
    expect(await call('POST', path)).toMatchObject({
      body: {
        status: 'success',
        message: expect.stringContaining('created'),
        topics: ['beam-line_1'],
      },
    });
    expect(await call('POST', path)).toMatchObject({
      body: { status: 'success', message: expect.stringContaining('already exists') },
    });
    const topic = `${namespace}.beam-line_1`;
    expect(await writeAndRead(stack, byToken(accessToken), topic)).toEqual(['a record']);
    expect(await call('PUT', `${path}/recreate`)).toMatchObject({
      body: { status: 'success', message: 'Topic recreated', topics: ['beam-line_1'] },
    });
    expect(await stack.endOffsets(topic)).toEqual(new Map([[0, 0n]]));
    expect(await call('DELETE', path)).toMatchObject({
      body: { status: 'success', message: expect.stringContaining('deleted'), topics: [] },
    });
    expect(await call('DELETE', path)).toMatchObject({
      body: { status: 'success', message: expect.stringContaining('not found') },
    });
    expect(await call('PUT', `${path}/recreate`)).toEqual(
      refused(404, 'TOPIC_NOT_FOUND', 'failure'),
    );
  });

  it('refuses topics before there is a namespace, in that of another, and of a bad name', async () => {
    const me = await somebody();
    const other = await somebody();
    const missing = refused(404, 'NAMESPACE_NOT_FOUND', 'failure');
    expect(await me.call('POST', `/api/v3/${me.namespace}/one`)).toEqual(missing);
    await me.call('POST', '/api/v3/user');
    await other.call('POST', '/api/v3/user');
    const foreign = refused(403, 'NAMESPACE_OF_ANOTHER', 'failure');
    for (const method of ['POST', 'DELETE']) {
      expect(await me.call(method, `/api/v3/${other.namespace}/one`)).toEqual(foreign);
    }
    expect(await me.call('PUT', `/api/v3/${other.namespace}/one/recreate`)).toEqual(foreign);
    const bad = refused(400, 'TOPIC_NAME_INVALID', 'failure');
    for (const name of [
      'ab',
      '-abc',
      'a.b.c',
      'a%2f..%2fb',
      'x'.repeat(33),
      '%00abc',
      'caf%C3%A9',
    ]) {
      expect(await me.call('POST', `/api/v3/${me.namespace}/${name}`)).toEqual(bad);
    }
  });

  it('answers the present key again, and another one after it was deleted', async () => {
    const { subject, call } = await somebody();
    const before = Date.now();
    const first = await call('POST', '/api/v3/key');
    expect(first).toMatchObject({
      status: 200,
      body: {
        status: 'success',
        fresh: true,
        endpoint: stack.bootstrap('OAUTH'),
        access_key: expect.stringMatching(/^\w{16,128}$/),
        secret_key: expect.stringMatching(/^[\w+/]{40}$/),
        message: `Access key created for ${subject}`,
      },
    });
    const createdAt = Date.parse(String(first.body['create_date']));
    expect(createdAt).toBeGreaterThanOrEqual(before);
    expect(createdAt).toBeLessThanOrEqual(Date.now());
    const again = await Promise.all([call('POST', '/api/v3/key'), call('POST', '/api/v3/key')]);
    for (const { body } of again) {
      expect(body).toEqual({ ...first.body, fresh: false, message: expect.any(String) });
    }
    expect(await call('DELETE', '/api/v3/key')).toMatchObject({ body: { status: 'success' } });
    expect(await call('DELETE', '/api/v3/key')).toMatchObject({ body: { status: 'success' } });
    const next = await call('POST', '/api/v3/key');
    expect(next.body).toMatchObject({ fresh: true });
    expect(next.body['access_key']).not.toBe(first.body['access_key']);
    expect(next.body['secret_key']).not.toBe(first.body['secret_key']);
  });

  it("makes one key where many ask at the same time, and each subject's is its own", async () => {
    const [me, other] = await Promise.all([somebody(), somebody()]);
    const mine = await Promise.all(Array.from({ length: 8 }, () => me.call('POST', '/api/v3/key')));
    expect(new Set(mine.map(({ body }) => body['access_key'])).size).toBe(1);
    expect(mine.filter(({ body }) => body['fresh'] === true)).toHaveLength(1);
    const theirs = await other.call('POST', '/api/v3/key');
    await me.call('DELETE', '/api/v3/key');
    expect((await other.call('POST', '/api/v3/key')).body).toMatchObject({
      fresh: false,
      access_key: theirs.body['access_key'],
    });
  });

  it('gives keys that sign in to Kafka as the subject, with rights to the namespace and nothing else', async () => {
    const me = await somebody();
    const other = await somebody();
    const { access_key, secret_key } = (await me.call('POST', '/api/v3/key')).body;
    await other.call('POST', '/api/v3/user');
    await me.call('POST', `/api/v3/${me.namespace}/mine`);
    await other.call('POST', `/api/v3/${other.namespace}/theirs`);
    const signIn = byToken(await awsToken(access_key, secret_key));
    expect(await writeAndRead(stack, signIn, `${me.namespace}.mine`)).toEqual(['a record']);
    const foreign = `${other.namespace}.theirs`;
    await expect(writeAndRead(stack, signIn, foreign)).rejects.toThrow(/not authorized/i);
    await expect(writeAndRead(stack, byToken(me.accessToken), foreign)).rejects.toThrow(
      /not authorized/i,
    );
    await stack.grant(me.subject, { topic: foreign }, ['READ', 'WRITE']);
    await vi.waitFor(() => writeAndRead(stack, signIn, foreign), 10_000);
  });

  it('gives keys that brokers refuse when they are not signed with, deleted, or for another region', async () => {
    const { call, namespace } = await somebody();
    const { access_key, secret_key } = (await call('POST', '/api/v3/key')).body;
    await call('POST', `/api/v3/${namespace}/topic`);
    const attempt = (token: string): Promise<string[]> =>
      writeAndRead(stack, byToken(token), `${namespace}.topic`);
    await expect(attempt(await awsToken(access_key, 'another secret'))).rejects.toThrow(
      /not active/,
    );
    await expect(attempt(await awsToken('AKIDEXAMPLE', secret_key))).rejects.toThrow(/not active/);
    await expect(attempt(await awsToken(access_key, secret_key, 'eu-west-1'))).rejects.toThrow(
      /not active/,
    );
    const token = await awsToken(access_key, secret_key);
    expect(await attempt(token)).toEqual(['a record']);
    await call('DELETE', '/api/v3/key');
    await expect(attempt(token)).rejects.toThrow(/not active/);
  });

  it('gives keys that become active only after the delay', async () => {
    const { call, namespace } = await somebody();
    await topicService.set({ keyDelayMs: 3_600_000 });
    const { access_key, secret_key, fresh } = (await call('POST', '/api/v3/key')).body;
    expect(fresh).toBe(true);
    await call('POST', `/api/v3/${namespace}/topic`);
    const signIn = byToken(await awsToken(access_key, secret_key));
    await expect(writeAndRead(stack, signIn, `${namespace}.topic`)).rejects.toThrow(/not active/);
    await topicService.set({ keyDelayMs: 0 });
    expect(await writeAndRead(stack, signIn, `${namespace}.topic`)).toEqual(['a record']);
  });
});

describe('v1', () => {
  it('registers topics with hyphens and dots, lists them, and gives them up', async () => {
    const { accessToken, call } = await somebody();
    const topic = `${uniqueTopic('lab')}.run-1`;
    const register = (): ReturnType<Call> => call('POST', '/v1/register_topic', { topic });
    expect(await call('GET', '/v1/list_topics')).toEqual({
      status: 200,
      body: { status: 'success', topics: [] },
    });
    expect(await register()).toMatchObject({
      status: 200,
      body: { status: 'success', topics: [topic] },
    });
    expect(await register()).toMatchObject({
      status: 200,
      body: { status: 'no-op', topics: [topic] },
    });
    expect((await call('GET', '/v1/list_topics')).body['topics']).toEqual([topic]);
    expect(await writeAndRead(stack, byToken(accessToken), topic)).toEqual(['a record']);
    const giveUp = (): ReturnType<Call> => call('POST', '/v1/unregister_topic', { topic });
    expect(await giveUp()).toMatchObject({ body: { status: 'success', topics: [] } });
    expect(await giveUp()).toMatchObject({ body: { status: 'no-op', topics: [] } });
    await expect(writeAndRead(stack, byToken(accessToken), topic)).rejects.toThrow(
      /not authorized/i,
    );
    // The records stay: whoever registers it next has them.
    expect(await stack.endOffsets(topic)).toEqual(new Map([[0, 1n]]));
    expect(await register()).toMatchObject({ body: { status: 'success' } });
  });

  it("refuses others' topics, reserved names, and names that Kafka takes for the same", async () => {
    const me = await somebody();
    const other = await somebody();
    const topic = uniqueTopic('lab.data');
    await other.call('POST', '/v1/register_topic', { topic });
    const register = (name: string): ReturnType<Call> =>
      me.call('POST', '/v1/register_topic', { topic: name });
    expect(await register(topic)).toEqual(refused(409, 'TOPIC_CLAIMED', 'failure'));
    expect(await me.call('POST', '/v1/unregister_topic', { topic })).toMatchObject({
      body: { status: 'no-op' },
    });
    const reserved = refused(403, 'TOPIC_NAME_RESERVED', 'failure');
    for (const name of ['__consumer_offsets', '__connection_test', `${other.namespace}.x`]) {
      expect(await register(name)).toEqual(reserved);
    }
    const collides = refused(409, 'TOPIC_NAME_COLLIDES', 'failure');
    expect(await register(topic.replace('.', '_'))).toEqual(collides);
    // Nothing is left of it: its name is nobody's.
    expect((await me.call('GET', '/v1/list_topics')).body['topics']).toEqual([]);
    const invalid = refused(400, 'TOPIC_NAME_INVALID', 'failure');
    expect(await register('')).toEqual(invalid);
    expect(await register('..')).toEqual(invalid);
    expect(await register('a b')).toEqual(invalid);
  });

  it('makes passwords for the SCRAM listener, the earlier of which ends, and a topic for everybody', async () => {
    const me = await somebody();
    const first = await me.call('POST', '/v1/create_key');
    expect(first).toMatchObject({
      status: 200,
      body: {
        status: 'success',
        username: me.subject,
        endpoint: stack.bootstrap('SCRAM'),
        secret_key: expect.stringMatching(/^[\w-]{32}$/),
      },
    });
    const attempt = (answer: typeof first, topic: string): Promise<string[]> =>
      writeAndRead(stack, byPassword(me.subject, answer.body['secret_key']), topic);
    expect(await attempt(first, '__connection_test')).toContain('a record');
    const other = await somebody();
    await other.call('POST', '/v1/create_key');
    const second = await me.call('POST', '/v1/create_key');
    expect(second.body['secret_key']).not.toBe(first.body['secret_key']);
    await expect(attempt(first, '__connection_test')).rejects.toThrow(/authenti/i);
    const topic = uniqueTopic('lab');
    await me.call('POST', '/v1/register_topic', { topic });
    expect(await attempt(second, topic)).toEqual(['a record']);
  });

  it('puts a password into Kafka only after the delay, and until then the earlier one is good', async () => {
    const { subject, call } = await somebody();
    const earlier = (await call('POST', '/v1/create_key')).body['secret_key'];
    await topicService.set({ keyDelayMs: 3_600_000 });
    const later = (await call('POST', '/v1/create_key')).body['secret_key'];
    const attempt = (password: unknown): Promise<string[]> =>
      writeAndRead(stack, byPassword(subject, password), '__connection_test');
    await expect(attempt(later)).rejects.toThrow(/authenti/i);
    expect(await attempt(earlier)).toContain('a record');
    await topicService.set({ keyDelayMs: 0 });
    await vi.waitFor(() => attempt(later), { timeout: 20_000 });
    await expect(attempt(earlier)).rejects.toThrow(/authenti/i);
  });
});

describe('whoever asks', () => {
  it('must be who the token says, and it must be a token of the event service that is active', async () => {
    const me = await somebody();
    const other = await somebody();
    const ask = (headers: Record<string, string>): ReturnType<Call> =>
      me.call('POST', '/api/v3/user', headers);
    expect(await ask({ subject: '' })).toEqual(refused(400, 'SUBJECT_INVALID'));
    expect(await ask({ subject: 'ada' })).toEqual(refused(400, 'SUBJECT_INVALID'));
    expect(await ask({ authorization: '' })).toEqual(refused(401, 'TOKEN_MISSING'));
    expect(await ask({ authorization: 'Basic YTpi' })).toEqual(refused(401, 'TOKEN_MISSING'));
    expect(await ask({ authorization: 'Bearer ' })).toEqual(refused(401, 'TOKEN_MISSING'));
    expect(await ask({ authorization: 'Bearer <script>' })).toEqual(
      refused(401, 'TOKEN_MALFORMED'),
    );
    const unknown = refused(401, 'TOKEN_INACTIVE');
    expect(await ask({ authorization: `Bearer ${'A'.repeat(43)}` })).toEqual(unknown);
    expect(await ask({ subject: other.subject })).toEqual(refused(403, 'TOKEN_OF_ANOTHER_SUBJECT'));
    expect(await ask({ subject: me.subject.toUpperCase() })).toMatchObject({ status: 200 });
  });

  it('is refused once the token has expired or was revoked, if it was taken before', async () => {
    const { accessToken, call } = await somebody();
    const list = (): ReturnType<Call> => call('GET', '/api/v3/namespace');
    expect((await list()).status).toBe(200);
    await stack.globus.revoke(accessToken);
    // The service remembers for some seconds.
    await vi.waitFor(async () => expect(await list()).toEqual(refused(401, 'TOKEN_INACTIVE')), {
      timeout: 6_000,
      interval: 200,
    });
    await stack.globus.set({ accessTokenTtl: 1 });
    const brief = await somebody();
    await vi.waitFor(
      async () =>
        expect(await brief.call('GET', '/v1/list_topics')).toEqual(refused(401, 'TOKEN_INACTIVE')),
      { timeout: 6_000, interval: 200 },
    );
  });

  it('causes few questions to Globus, and none with the same token at the same time', async () => {
    const { call } = await somebody();
    await stack.globus.reset();
    await Promise.all(Array.from({ length: 50 }, () => call('GET', '/api/v3/namespace')));
    expect(await stack.globus.requests('introspect')).toHaveLength(1);
  });
});

describe('the introspection that brokers ask', () => {
  const { clientId, clientSecret } = stack.globus.resourceServer;
  const introspect = async (
    url: string,
    token: string,
    authorization = `Basic ${btoa(`${clientId}:${clientSecret}`)}`,
  ): Promise<{ status: number; type: string | null; body: unknown }> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization },
      body: new URLSearchParams({ token }),
    });
    const type = response.headers.get('content-type');
    return { status: response.status, type, body: await response.json() };
  };
  const here = stack.introspectionUrl;
  const strangers = ['', `Basic ${btoa(`${clientId}:wrong`)}`, 'Bearer x', 'Basic %%%'];

  it("answers brokers as Globus does to Globus's tokens and to wrong ones", async () => {
    const { accessToken } = await somebody();
    for (const token of [accessToken, 'unknown']) {
      expect(await introspect(here, token)).toEqual(
        await introspect(stack.globus.introspectionUrl, token),
      );
    }
  });

  it('asks Globus nothing for anybody else, and is not where people are', async () => {
    const { accessToken } = await somebody();
    await stack.globus.reset();
    for (const stranger of strangers) {
      expect((await introspect(here, accessToken, stranger)).status).toBe(401);
    }
    expect((await introspect(`${serviceUrl}/introspect`, accessToken)).status).toBe(404);
    expect(await stack.globus.requests('introspect')).toEqual([]);
    const page = new URL('/acl', here);
    expect((await fetch(page)).status).toBe(404);
  });

  it("shows at Globus each question about a Globus token, and none about a service key's", async () => {
    const { accessToken, call } = await somebody();
    const { access_key, secret_key } = (await call('POST', '/api/v3/key')).body;
    await stack.globus.reset();
    await introspect(here, await awsToken(access_key, secret_key));
    expect(await stack.globus.requests('introspect')).toHaveLength(0);
    await introspect(here, accessToken);
    const seen = await vi.waitFor(async () => {
      const [only, ...others] = await stack.globus.requests('introspect');
      expect(others).toEqual([]);
      expect(only?.until).not.toBeNull();
      return only;
    }, 10_000);
    expect(seen?.status).toBe(200);
  });

  it('judges tokens that service keys signed, for brokers alone', async () => {
    const { subject, call } = await somebody();
    const { access_key, secret_key } = (await call('POST', '/api/v3/key')).body;
    const token = await awsToken(access_key, secret_key);
    const inFifteenMinutes = Date.now() / 1000 + 900;
    expect(await introspect(here, token)).toMatchObject({
      status: 200,
      body: {
        active: true,
        sub: subject,
        username: subject,
        iss: stack.issuer,
        client_id: access_key,
        exp: expect.closeTo(inFifteenMinutes, -1),
      },
    });
    const inactive = { status: 200, body: { active: false } };
    expect(await introspect(here, await awsToken(access_key, 'x'))).toMatchObject(inactive);
    const more = `${Buffer.from(token, 'base64url')}&more=1`;
    const changed = Buffer.from(more).toString('base64url');
    expect(await introspect(here, changed)).toMatchObject(inactive);
    for (const stranger of strangers) {
      expect((await introspect(here, token, stranger)).status).toBe(401);
    }
  });
});

describe('several owners', () => {
  const administrate = async (...args: string[]): Promise<{ out: string; err: string }> => {
    const main = fileURLToPath(new URL('../../stack/topic-service/main.ts', import.meta.url));
    const options = {
      env: {
        PATH: process.env['PATH'],
        TOPIC_SERVICE_KAFKA: stack.bootstrap('INTERNAL'),
        TOPIC_SERVICE_KAFKA_TLS: 'false',
      },
    };
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--disable-warning=TimeoutNegativeWarning', main, ...args],
      options,
    );
    return { out: stdout, err: stderr };
  };

  it('share a topic once an administrator has added one, and no longer once it is removed', async () => {
    const me = await somebody();
    const other = await somebody();
    const topic = uniqueTopic('shared').replaceAll('-', '_');
    expect(await claim(serviceUrl, me, topic)).toMatchObject({ body: { status: 'success' } });
    expect(await claim(serviceUrl, other, topic)).toEqual(refused(409, 'TOPIC_CLAIMED', 'failure'));
    const added = await administrate('add-owner', topic, other.subject, other.username);
    const both = [me.subject, me.username, other.subject, other.username].sort();
    expect(added).toEqual({ out: `${both.join('\n')}\n`, err: '' });
    expect((await administrate('owners', topic)).out).toBe(added.out);
    expect(await claim(serviceUrl, other, topic)).toMatchObject({ body: { status: 'no-op' } });
    expect(await claim(serviceUrl, me, topic)).toMatchObject({ body: { status: 'no-op' } });
    expect((await other.call('GET', '/v1/list_topics')).body['topics']).toEqual([topic]);
    expect(await writeAndRead(stack, byToken(other.accessToken), topic)).toEqual(['a record']);
    const key = (await other.call('POST', '/v1/create_key')).body['secret_key'];
    expect(await writeAndRead(stack, byPassword(other.subject, key), topic)).toContain('a record');
    await other.call('POST', '/v1/unregister_topic', { topic });
    expect((await administrate('owners', topic)).out.split('\n')).not.toContain(other.subject);
    expect(await claim(serviceUrl, me, topic)).toMatchObject({ body: { status: 'no-op' } });
    const { out } = await administrate('remove-owner', topic, me.subject, me.username);
    expect(out).toBe('');
  });

  it('are not those who may only read it', async () => {
    const me = await somebody();
    const reader = await somebody();
    const topic = uniqueTopic('read').replaceAll('-', '_');
    await claim(serviceUrl, me, topic);
    await stack.grant(reader.username, { topic }, ['READ', 'DESCRIBE']);
    expect(await claim(serviceUrl, reader, topic)).toEqual(
      refused(409, 'TOPIC_CLAIMED', 'failure'),
    );
    expect((await reader.call('GET', '/v1/list_topics')).body['topics']).toEqual([]);
    await expect(writeAndRead(stack, byToken(reader.accessToken), topic)).rejects.toThrow(
      /not authorized/i,
    );
    expect((await administrate('owners', topic)).out).toBe(
      `${[me.subject, me.username].sort().join('\n')}\n`,
    );
  });

  it('own a topic by user name alone as well, and complete it by claiming it', async () => {
    const { username, subject, call, ...me } = await somebody();
    const topic = uniqueTopic('given').replaceAll('-', '_');
    await administrate('add-owner', topic, username);
    expect(await stack.topics()).toContain(topic);
    expect(await claim(serviceUrl, { ...me, subject }, topic)).toMatchObject({
      body: { status: 'success' },
    });
    expect((await administrate('owners', topic)).out).toBe(
      `${[subject, username].sort().join('\n')}\n`,
    );
  });

  it.each([
    { args: [], line: 'What shall be done?' },
    { args: ['destroy'], line: 'There is no command destroy.' },
    { args: ['owners'], line: 'Which topic?' },
    { args: ['add-owner', 'topic'], line: 'add-owner takes a topic and whom to add.' },
    { args: ['add-owner', 'topic', '*'], line: '* is neither a subject' },
    { args: ['add-owner', 'a b', 'ada@example.org'], line: 'A topic name consists of' },
    { args: ['serve'], line: 'TOPIC_SERVICE_SECRET is not set' },
  ])('are no matter of `topic-service $args`, which says so', async ({ args, line }) => {
    const failed = await administrate(...args).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^${line.replace(/[*?.]/g, '\\$&')}`)),
    });
    expect(failed).toMatchObject({ stderr: expect.not.stringMatching(/\bat .+:\d+:\d+/) });
  });
});

describe('a test', () => {
  it('can make the service fail in each way that services do, and see what was asked', async () => {
    const { call } = await somebody();
    const list = (): ReturnType<Call> => call('GET', '/v1/list_topics');
    await topicService.reset();
    await topicService.set({ fault: { kind: 'status', status: 502, times: 1 } });
    expect((await list()).status).toBe(502);
    expect((await list()).status).toBe(200);
    await topicService.set({ fault: { kind: 'garbage' } });
    await expect(list()).rejects.toThrow(/JSON/);
    await topicService.set({ fault: { kind: 'disconnect' } });
    await expect(list()).rejects.toThrow(/fetch failed/);
    await topicService.set({ fault: { kind: 'hang' } });
    const hanging = list();
    hanging.catch(() => {});
    await expect.poll(() => topicService.requests()).toHaveLength(5);
    expect((await topicService.requests()).map(({ status }) => status)).toEqual([
      502,
      200,
      200,
      null,
      null,
    ]);
    await topicService.reset();
    await expect(hanging).rejects.toThrow(/fetch failed/);
    expect((await list()).status).toBe(200);
  });
});
