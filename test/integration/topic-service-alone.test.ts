/** The topic service as a process of its own, as a lab runs it, and what a public form gets from strangers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import kafkajs, { type AclFilter } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { freePorts } from '../../stack/free-ports.ts';
import type { SignedIn } from '../../stack/globus.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import type { StackClient } from '../../stack/stack-client.ts';
import { AccessRights } from '../../stack/topic-service/access-rights.ts';
import type { KafkaAccess } from '../../stack/topic-service/kafka-access.ts';
import { kafkaAdmin } from '../../stack/topic-service/kafka-admin.ts';
import { scramUsers } from '../../stack/topic-service/scram-users.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { byPassword, byToken, callsOf, claim, writeAndRead } from './service-calls.ts';

const main = fileURLToPath(new URL('../../stack/topic-service/main.ts', import.meta.url));
const shared = sharedStack();
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const anyEntry: AclFilter = {
  resourceType: AclResourceTypes.ANY,
  resourcePatternType: ResourcePatternTypes.ANY,
  operation: AclOperationTypes.ANY,
  permissionType: AclPermissionTypes.ANY,
};
/** As the super user. */
const internal: KafkaAccess = { brokers: shared.bootstrap('INTERNAL'), tls: null, scram: null };

interface Service {
  readonly url: string;
  /** Where brokers introspect tokens. */
  readonly introspectionUrl: string;
  readonly child: ChildProcess;
  /** What it wrote to stderr so far. */
  readonly said: () => string;
}

/** `npm run topic-service -- serve`, ended after the tests of this file at the latest. */
async function serve(stack: StackClient, more: Record<string, string> = {}): Promise<Service> {
  const [port = 0, introspectionPort = 0] = await freePorts(2);
  const { clientId, clientSecret } = stack.globus.resourceServer;
  const child = spawn(
    process.execPath,
    // With so small a heap, a service that gathers what it is sent would not live through this file.
    [
      '--max-old-space-size=96',
      '--disable-warning=TimeoutNegativeWarning',
      '--import',
      'tsx',
      main,
      'serve',
    ],
    {
      env: {
        PATH: process.env['PATH'],
        JAVA_HOME: process.env['JAVA_HOME'],
        TOPIC_SERVICE_PORT: String(port),
        TOPIC_SERVICE_INTROSPECTION_PORT: String(introspectionPort),
        TOPIC_SERVICE_SECRET: 'a secret of thirty-two characters',
        TOPIC_SERVICE_CLIENT_ID: clientId,
        TOPIC_SERVICE_CLIENT_SECRET: clientSecret,
        TOPIC_SERVICE_KAFKA: stack.bootstrap('INTERNAL'),
        TOPIC_SERVICE_KAFKA_TLS: 'false',
        TOPIC_SERVICE_OAUTH_BROKERS: stack.bootstrap('OAUTH'),
        TOPIC_SERVICE_SCRAM_BROKERS: stack.bootstrap('SCRAM'),
        DIASPORA_ISSUER: stack.issuer,
        ...more,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said += String(data);
      if (said.includes('Claim page: ')) resolve();
    });
    child.once('close', () => reject(new Error(`It ended: ${said}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    introspectionUrl: `http://127.0.0.1:${introspectionPort}/introspect`,
    child,
    said: () => said,
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  child.kill(signal);
  const [code] = await once(child, 'exit');
  return code;
}

/** What Kafka keeps of people: topics, rights, and users with passwords, each in order. */
async function everything(): Promise<Record<string, readonly string[]>> {
  const kafka = kafkaAdmin(internal);
  const users = scramUsers(internal);
  try {
    const { resources } = await kafka.ask((admin) => admin.describeAcls(anyEntry));
    return {
      topics: await shared.topics(),
      rights: resources.map((resource) => JSON.stringify(resource)).sort(),
      users: (await users.names()).sort(),
    };
  } finally {
    users.close();
    kafka.close();
  }
}

const newTopic = (): string => uniqueTopic('alone').replaceAll('-', '_');
const somebody = (stack: StackClient = shared): Promise<SignedIn> =>
  stack.globus.signIn(`${uniqueTopic('person')}@example.org`);

/** Process ids of the JVM that the process started. */
function jvmsOf(pid: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return new RegExp(`^PPid:\\t${pid}$`, 'm').test(
          readFileSync(`/proc/${name}/status`, 'utf8'),
        );
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('ScramUsers'));
}

const lives = (pid: number): boolean => {
  try {
    // What has ended and was not waited for is still listed.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('a topic service of its own', () => {
  it('puts keys that wait into Kafka when it is stopped, and takes its JVM along', async () => {
    const { url, child, said } = await serve(shared, { TOPIC_SERVICE_KEY_DELAY_MS: '3600000' });
    onTestFinished(() => void child.kill('SIGKILL'));
    const me = await somebody();
    const { body } = await callsOf(url, me)('POST', '/v1/create_key');
    const attempt = (): Promise<string[]> =>
      writeAndRead(shared, byPassword(me.subject, body['secret_key']), '__connection_test');
    await expect(attempt()).rejects.toThrow(/authenti/i);
    expect(await end(child)).toBe(0);
    expect(await attempt()).toContain('a record');
    expect(said()).toMatch(
      /^The topic service listens at 127\.0\.0\.1:\d+, and for brokers at 127\.0\.0\.1:\d+\.\nClaim page: .*\nStopping\n$/,
    );
  });

  it('ends at once when it is stopped while many wait, and half of no claim is left', async () => {
    const { url, child } = await serve(shared);
    onTestFinished(() => void child.kill('SIGKILL'));
    const me = await somebody();
    const call = callsOf(url, me);
    const topics = Array.from({ length: 90 }, newTopic);
    const first = call('POST', '/v1/register_topic', { topic: topics[0] ?? '' });
    const all = Promise.allSettled(
      topics.map((topic) => call('POST', '/v1/register_topic', { topic })),
    );
    await first;
    const stopped = performance.now();
    expect(await end(child)).toBe(0);
    // It takes a tenth of a second. Giving up on claims that have begun takes five.
    expect(performance.now() - stopped).toBeLessThan(5_000);
    const answered = (await all).filter(({ status }) => status === 'fulfilled');
    expect(answered.length).toBeLessThan(topics.length);
    // Each topic is there with both of its owner's names, or neither it nor any right to it.
    const made = new Set(await shared.topics());
    const both = [me.subject, me.username].map((name) => `User:${name}`).sort();
    const kafka = kafkaAdmin(internal);
    onTestFinished(() => kafka.close());
    const rights = new AccessRights(kafka);
    for (const topic of topics) {
      const isThere = made.has(topic);
      const holders = [...(await rights.matching(topic)).all].sort();
      expect({ topic, isThere, holders }).toEqual({ topic, isThere, holders: isThere ? both : [] });
    }
  });

  it('leaves no JVM behind when it is killed', async () => {
    const { url, child } = await serve(shared);
    onTestFinished(() => void child.kill('SIGKILL'));
    await callsOf(url, await somebody())('POST', '/v1/create_key');
    const jvms = jvmsOf(child.pid);
    expect(jvms).toHaveLength(1);
    await end(child, 'SIGKILL');
    await vi.waitFor(() => expect(jvms.filter(lives)).toEqual([]), { timeout: 10_000 });
  });

  it('knows its keys again after a restart, by its secret, and has no switches', async () => {
    const me = await somebody();
    const first = await serve(shared);
    const key = await callsOf(first.url, me)('POST', '/api/v3/key');
    expect((await fetch(`${first.url}/_control/reset`, { method: 'POST' })).status).toBe(404);
    await end(first.child);
    const second = await serve(shared);
    onTestFinished(() => void end(second.child));
    const again = await callsOf(second.url, me)('POST', '/api/v3/key');
    expect(again.body).toEqual({ ...key.body, fresh: false, message: expect.any(String) });
  });

  it('says what of its environment is missing or wrong in a line without a secret', async () => {
    await expect(serve(shared, { TOPIC_SERVICE_SECRET: 'too short' })).rejects.toThrow(
      /^It ended: TOPIC_SERVICE_SECRET (?!.*too short)[^\n]+\n$/,
    );
  });

  it('does not start without Java, and says so in a line', async () => {
    await expect(serve(shared, { JAVA_HOME: '/nowhere' })).rejects.toThrow(
      /^It ended: [^\n]+ needs a JDK[^\n]+\n$/,
    );
  });

  it('starts its JVM again after an attempt that failed', async () => {
    const users = scramUsers(internal);
    onTestFinished(() => users.close());
    onTestFinished(() => void vi.unstubAllEnvs());
    // No program can be below a file.
    vi.stubEnv('JAVA_HOME', main);
    await expect(users.names()).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    vi.unstubAllEnvs();
    expect(await users.names()).toEqual(expect.any(Array));
  });
});

describe('a service with an administrator who signs in', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({
      kafkaProperties: { 'super.users': 'User:ANONYMOUS;User:station;User:instrument' },
    });
  });
  afterAll(() => stack?.stop());

  it.each(['a password', 'a certificate'])('works over TLS by %s', async (way) => {
    const { scramUser, clientCertificate } = stack;
    const tls = { TOPIC_SERVICE_KAFKA_TLS: '', TOPIC_SERVICE_KAFKA_CA_FILE: stack.caFile };
    const { url, child } = await serve(
      stack,
      way === 'a password'
        ? {
            ...tls,
            TOPIC_SERVICE_KAFKA: stack.bootstrap('SCRAM'),
            TOPIC_SERVICE_KAFKA_USERNAME: scramUser.username,
            TOPIC_SERVICE_KAFKA_PASSWORD: scramUser.password,
          }
        : {
            ...tls,
            TOPIC_SERVICE_KAFKA: stack.bootstrap('MTLS'),
            TOPIC_SERVICE_KAFKA_CERT_FILE: clientCertificate.certFile,
            TOPIC_SERVICE_KAFKA_KEY_FILE: clientCertificate.keyFile,
          },
    );
    onTestFinished(() => void end(child));
    const me = await somebody(stack);
    const topic = newTopic();
    expect(await claim(url, me, topic)).toMatchObject({ status: 200, body: { status: 'success' } });
    const { body } = await callsOf(url, me)('POST', '/v1/create_key');
    expect(await writeAndRead(stack, byPassword(me.subject, body['secret_key']), topic)).toEqual([
      'a record',
    ]);
  });

  it('says so while Kafka or Globus does not answer, and goes on once they do', async () => {
    const me = await somebody(stack);
    const call = callsOf(stack.serviceUrl, me);
    expect(await call('POST', '/v1/create_key')).toMatchObject({ status: 200 });
    const [broker] = stack.brokers;
    const topic = newTopic();
    broker?.freeze();
    const unavailable = { status: 503, body: { status: 'failure', code: 'KAFKA_UNAVAILABLE' } };
    const frozen = await Promise.all([
      claim(stack.serviceUrl, me, topic),
      call('GET', '/v1/list_topics'),
      call('POST', '/api/v3/key'),
    ]);
    broker?.thaw();
    for (const answer of frozen) expect(answer).toMatchObject(unavailable);
    expect(await claim(stack.serviceUrl, me, topic)).toMatchObject({ status: 200 });
    await broker?.kill();
    expect(await call('GET', '/v1/list_topics')).toMatchObject(unavailable);
    await broker?.start();
    await vi.waitFor(
      async () => {
        expect(await call('GET', '/v1/list_topics')).toMatchObject({ status: 200 });
        expect(await call('POST', '/api/v3/key')).toMatchObject({ status: 200 });
      },
      { timeout: 30_000, interval: 500 },
    );
    expect(await writeAndRead(stack, byToken(me.accessToken), topic)).toEqual(['a record']);
    const later = await somebody(stack);
    await stack.globus.stop();
    expect(await callsOf(stack.serviceUrl, later)('GET', '/v1/list_topics')).toMatchObject({
      status: 503,
      body: { status: 'error', code: 'GLOBUS_UNAVAILABLE' },
    });
  });
});

describe('strangers', () => {
  let service: Service;
  let slow: Promise<readonly Raw[]>;
  beforeAll(async () => {
    service = await serve(shared);
    // Ten seconds until they are hung up on, in which everybody else is served: all the tests before the one that waits for it.
    slow = Promise.all([
      raw(`POST /acl HTTP/1.1\r\nHost: x\r\nContent-Type: ${form}\r\nContent-Length: 10\r\n\r\nx=`),
      raw('POST /acl HTTP/1.1\r\nHost: x\r\nX: '),
      raw(''),
    ]);
  });
  afterAll(async () => {
    if (!service) return;
    // It has outlived all of this, and had nothing to complain of.
    expect(service.said().split('\n').slice(2)).toEqual(['']);
    expect(await end(service.child)).toBe(0);
  });

  const form = 'application/x-www-form-urlencoded';
  const { clientId, clientSecret } = shared.globus.resourceServer;
  const asBroker = `Basic ${btoa(`${clientId}:${clientSecret}`)}`;
  const noTrace = (body: string): void =>
    expect(body).not.toMatch(/\.ts:\d+|node_modules|at \S+ \(/);

  interface Raw {
    readonly status: number;
    readonly head: string;
    readonly body: string;
  }

  /** Writes bytes to the service, and answers what came back until it closed the connection. */
  async function raw(...parts: readonly (string | Buffer)[]): Promise<Raw> {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.on('error', () => {});
    for (const part of parts) socket.write(part);
    const all = await text(socket);
    const [head = '', body = ''] = all.split('\r\n\r\n');
    noTrace(all);
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body };
  }

  it('with huge bodies are refused at once, without all of it being read', async () => {
    const { url, introspectionUrl } = service;
    const addresses = [`${url}/acl`, introspectionUrl, `${url}/v1/create_key`, `${url}/api/v3/key`];
    for (const address of addresses) {
      const sending = httpRequest(address, {
        method: 'POST',
        headers: {
          'content-type': form,
          'content-length': String(10 * 2 ** 30),
          accept: 'application/json',
          authorization: asBroker,
        },
      });
      sending.on('error', () => {});
      sending.write('subject_claim=');
      const [response] = await once(sending, 'response');
      expect(response.statusCode).toBe(413);
      expect(JSON.parse(await text(response))).toMatchObject({ code: 'BODY_TOO_LARGE' });
      sending.destroy();
    }
    // Without a length, it is refused once it is too long, and nobody listens to the rest.
    const endless = httpRequest(`${service.url}/acl`, {
      method: 'POST',
      headers: { 'content-type': form },
    });
    endless.on('error', () => {});
    const hungUp = once(endless, 'close');
    const answered = once(endless, 'response');
    let sent = 0;
    const send = (): void => {
      while (!endless.destroyed && endless.write('x'.repeat(65_536))) sent += 65_536;
    };
    endless.on('drain', send);
    send();
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    expect(sent).toBeLessThan(20 * 2 ** 20);
    await hungUp;
  });

  it('with other content types are told which one is taken', async () => {
    const types = [
      'application/json',
      'multipart/form-data; boundary=x',
      'text/plain',
      'application/xml',
      'x',
      '',
    ];
    for (const type of types) {
      for (const address of [`${service.url}/acl`, service.introspectionUrl]) {
        const response = await fetch(address, {
          method: 'POST',
          headers: { 'content-type': type, accept: 'application/json', authorization: asBroker },
          body: '{"topic_name":"a"}',
        });
        expect({ type, address, status: response.status }).toEqual({ type, address, status: 415 });
        expect(await response.json()).toMatchObject({ code: 'CONTENT_TYPE' });
      }
    }
    // As Python's clients do it where there is nothing to send.
    const empty = await fetch(`${service.url}/v1/create_key`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', subject: 'x' },
    });
    expect(await empty.json()).toMatchObject({ code: 'SUBJECT_INVALID' });
  });

  it('with anything in names and headers get a refusal, and leave nothing behind', async () => {
    const me = await somebody();
    const before = await everything();
    const evil = [
      '<script>alert(1)</script>',
      "x'; DROP TABLE topics; --",
      '../../../etc/passwd',
      '..',
      'a/b',
      'a\\b',
      '%00',
      '%0d%0aX-Injected: yes',
      '*',
      'User:*',
      'a b',
      'tоpic',
      'ｔｏｐｉｃ',
      '‮topic',
      '__consumer_offsets',
      '$(id)',
      '{{7*7}}',
      'x'.repeat(10_000),
    ];
    for (const name of evil) {
      const claimed = await claim(service.url, me, name);
      expect({ name, status: claimed.status }).toEqual({ name, status: 400 });
      const headers = { subject: me.subject, authorization: `Bearer ${me.accessToken}` };
      const topic = Buffer.from(name).toString('latin1');
      const v1 = await fetch(`${service.url}/v1/register_topic`, {
        method: 'POST',
        headers: { ...headers, topic },
      });
      expect({ name, status: v1.status }).toEqual({
        name,
        status: name.startsWith('__') ? 403 : 400,
      });
      const path = `/api/v3/ns-${me.subject.slice(-12)}/${encodeURIComponent(name)}`;
      const v3 = await fetch(service.url + path, { method: 'POST', headers });
      // An address is resolved before it is sent: two dots lead elsewhere.
      expect([400, 404, 405, 414]).toContain(v3.status);
      for (const body of [await v1.text(), await v3.text()]) {
        noTrace(body);
        expect(Object(JSON.parse(body))['status']).toMatch(/^(error|failure)$/);
      }
      const who = await callsOf(service.url, { ...me, subject: encodeURIComponent(name) })(
        'POST',
        '/api/v3/user',
      );
      expect(who).toMatchObject({ status: 400, body: { code: 'SUBJECT_INVALID' } });
    }
    expect(await everything()).toEqual(before);
  });

  it('with requests that are none are refused before anybody looks at them', async () => {
    const host = 'Host: x\r\nConnection: close\r\n';
    const cases: [string, number][] = [
      [`GET /acl HTTP/1.1\r\n${host}Topic: a\0b\r\n\r\n`, 400],
      [`GET /acl HTTP/1.1\r\n${host}Topic: a\rb\r\n\r\n`, 400],
      [`GET /acl HTTP/1.1\r\n${host} folded: x\r\n\r\n`, 400],
      ['GET /acl HTTP/1.1\r\n\r\n', 400],
      ['HELLO\r\n\r\n', 400],
      [`GET /acl HTTP/1.1\r\n${host}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
      [
        `POST /acl HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [`POST /acl HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`, 400],
      [`POST /acl HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400],
      [`GET /%ff%fe HTTP/1.1\r\n${host}\r\n`, 400],
      [`GET /acl/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n${host}\r\n`, 404],
      [`GET /../package.json HTTP/1.1\r\n${host}\r\n`, 404],
      [`GET /views/claim.eta HTTP/1.1\r\n${host}\r\n`, 404],
      // An address with a host leads to no other host: this is the redirection to the claim page.
      [`GET http://169.254.169.254/ HTTP/1.1\r\n${host}\r\n`, 302],
      [`CONNECT example.org:443 HTTP/1.1\r\n${host}\r\n`, 0],
      [`TRACE /acl HTTP/1.1\r\n${host}\r\n`, 404],
    ];
    for (const [request, status] of cases) {
      const answer = await raw(request);
      expect({ request: request.slice(0, 60), status: answer.status }).toEqual({
        request: request.slice(0, 60),
        status,
      });
      // Node answers for itself where there is no host.
      if (status >= 400 && request.includes('Host'))
        expect(JSON.parse(answer.body)).toMatchObject({ status: 'error' });
    }
  });

  it('with other methods and addresses are told so, and see strict headers everywhere', async () => {
    for (const [method, path, status] of [
      ['GET', '/nowhere', 404],
      ['POST', '/', 405],
      ['PUT', '/acl', 405],
      ['OPTIONS', '/acl', 405],
      ['GET', service.introspectionUrl, 405],
      ['GET', '/v1/create_key', 405],
      ['PATCH', '/api/v3/key', 405],
      ['GET', '/api/v3/ns-afb9e2825e80/topic', 405],
      ['HEAD', '/acl', 200],
    ] as const) {
      const response = await fetch(new URL(path, service.url), { method });
      expect({ method, path, status: response.status }).toEqual({ method, path, status });
      if (status === 405) expect(response.headers.get('allow')).toMatch(/^[A-Z, ]+$/);
      const { headers } = response;
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none';style-src 'sha256-[\w+/=]+';form-action 'self';base-uri 'none';frame-ancestors 'none'$/,
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });

  it('from pages of other sites are refused, whatever they ask', async () => {
    const me = await somebody();
    const topic = newTopic();
    const body = new URLSearchParams({
      subject_claim: me.subject,
      access_token: me.accessToken,
      topic_name: topic,
    });
    const post = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${service.url}/acl`, { method: 'POST', headers, body })).status;
    expect(await post({ origin: 'https://evil.example' })).toBe(403);
    expect(await post({ origin: 'null' })).toBe(403);
    expect(await post({ origin: service.url.replace('127.0.0.1', 'localhost') })).toBe(403);
    expect(await post({ origin: service.url, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await post({ origin: service.url, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await shared.topics()).not.toContain(topic);
    expect(await post({ origin: service.url })).toBe(200);
    expect(await post({ origin: service.url, 'sec-fetch-site': 'same-origin' })).toBe(200);
    const headers = { subject: me.subject, authorization: `Bearer ${me.accessToken}` };
    const key = { method: 'DELETE', headers: { ...headers, origin: 'https://evil.example' } };
    expect((await fetch(`${service.url}/api/v3/key`, key)).status).toBe(403);
  });

  it('a thousand at once get right answers, of one topic exactly one gets it, and memory is bounded', async () => {
    const people = await Promise.all(Array.from({ length: 50 }, () => somebody()));
    const topic = newTopic();
    const answers: Record<string, unknown>[] = [];
    const rssKib = (): number =>
      Number(
        /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))?.[1],
      );
    let connected = 0;
    await cannon({
      url: service.url,
      connections: 1_000,
      amount: 1_000,
      requests: [{ method: 'POST', path: '/acl' }],
      setupClient: (client) => {
        const person = people[connected % people.length];
        connected += 1;
        const filledIn = new URLSearchParams({
          subject_claim: person?.subject ?? '',
          access_token: person?.accessToken ?? '',
          topic_name: topic,
        });
        const headers = { 'content-type': form, accept: 'application/json' };
        client.setHeadersAndBody(headers, String(filledIn));
        client.on('body', (body) => void answers.push({ ...Object(JSON.parse(String(body))) }));
      },
    });
    expect(answers).toHaveLength(1_000);
    const count = (status: string): number =>
      answers.filter((answer) => answer['status'] === status).length;
    const winners = new Set(answers.flatMap(({ subject = [] }) => subject));
    expect(winners.size).toBe(1);
    // All of the winner's claims but the first; and the others are told that it is taken.
    const each = 1_000 / people.length;
    expect([count('success'), count('no-op'), count('failure')]).toEqual([
      1,
      each - 1,
      1_000 - each,
    ]);
    const refusals = new Set(answers.flatMap(({ code = [] }) => code));
    expect([...refusals]).toEqual(['TOPIC_CLAIMED']);
    // Owned by one person, by both names.
    const [winner] = winners;
    const owner = people.find(({ subject }) => subject === winner);
    const loser = people.find(({ subject }) => subject !== winner);
    if (!owner || !loser) throw new Error('Nobody has won.');
    expect(await writeAndRead(shared, byToken(owner.accessToken), topic)).toEqual(['a record']);
    await expect(writeAndRead(shared, byToken(loser.accessToken), topic)).rejects.toThrow(
      /not authorized/i,
    );

    // Bad ones, each connection with a token of its own.
    const flood = await cannon({
      url: service.url,
      connections: 1_000,
      amount: 10_000,
      requests: [{ method: 'POST', path: '/acl' }],
      setupClient: (client) => {
        const filledIn = new URLSearchParams({
          subject_claim: owner.subject,
          access_token: randomBytes(32).toString('base64url'),
          topic_name: topic,
        });
        client.setHeadersAndBody({ 'content-type': form }, String(filledIn));
      },
    });
    expect(flood.non2xx).toBe(10_000);
    expect(Object.keys(flood.statusCodeStats ?? {})).toEqual(['401']);
    expect(rssKib()).toBeLessThan(400 * 1024);
  });

  it('who alone ask too much at once are told so, while others are served', async () => {
    const greedy = await somebody();
    const other = await somebody();
    const call = callsOf(service.url, greedy);
    // The first to be checked.
    await call('GET', '/v1/list_topics');
    const many = Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        call('POST', '/v1/register_topic', { topic: `${newTopic()}_${index}` }),
      ),
    );
    const topic = newTopic();
    expect(await claim(service.url, other, topic)).toMatchObject({ status: 200 });
    const statuses = (await many).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(100);
    const { body } = await call('GET', '/v1/list_topics');
    expect(body['topics']).toHaveLength(statuses.filter((status) => status === 200).length);
  });

  it('who send slowly are hung up on, and keep nobody waiting', async () => {
    expect((await fetch(`${service.url}/acl`)).status).toBe(200);
    expect((await slow).map(({ status }) => status)).toEqual([408, 408, 408]);
  });
});

function cannon(options: autocannon.Options): Promise<autocannon.Result> {
  return new Promise((resolve, reject) => {
    autocannon({ timeout: 60, ...options }, (error, result) =>
      error ? reject(error) : resolve(result),
    );
  });
}
