/** The package's own connections against a real Kafka: every way to sign in, every request, sessions of five seconds. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DiagnosticEvent, Diagnostics } from '../../src/diagnostics.ts';
import { type BrokerAddress, Cluster, type SignIn } from '../../src/wire/cluster.ts';
import { describeProducers } from '../../src/wire/requests/describe-producers.ts';
import { initProducerId } from '../../src/wire/requests/init-producer-id.ts';
import { produce } from '../../src/wire/requests/produce.ts';
import type { Listener } from '../../stack/server-properties.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { tinyBatch } from './wire-batch.ts';

const sessionMs = 5_000;

let stack: Stack;
let accessToken: string;
const events: DiagnosticEvent[] = [];
const clusters: Cluster[] = [];

beforeAll(async () => {
  stack = await startStack({
    kafkaProperties: { 'connections.max.reauth.ms': String(sessionMs) },
  });
  ({ accessToken } = await stack.globus.signIn());
  await stack.createTopic('logs', { partitions: 3 });
});

afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
  events.length = 0;
});

afterAll(async () => {
  await stack?.stop();
});

function addresses(listener: Listener): BrokerAddress[] {
  return stack
    .bootstrap(listener)
    .split(',')
    .map((entry) => {
      const [host = '', port] = entry.split(':');
      return { host, port: Number(port) };
    });
}

function clusterAt(
  listener: Listener,
  options: { signIn?: SignIn; tls?: false | object } = {},
): Cluster {
  const { signIn = null, tls = {} } = options;
  const cluster = new Cluster({
    bootstrapBrokers: addresses(listener),
    clientId: 'wire-test',
    tls: tls === false ? null : { ca: readFileSync(stack.caFile), ...tls },
    signIn,
    requestTimeoutMs: 10_000,
    diagnostics: new Diagnostics((event) => events.push(event)),
  });
  clusters.push(cluster);
  return cluster;
}

function bearer(next: (asked: number) => string | Promise<string> = () => accessToken) {
  const source = {
    mechanism: 'OAUTHBEARER' as const,
    asked: 0,
    refusals: [] as string[],
    async token() {
      source.asked += 1;
      return { value: await next(source.asked), expiresAt: Date.now() + 3_600_000 };
    },
    refused(value: string) {
      source.refusals.push(value);
    },
    remedy: '',
  };
  return source;
}

async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof Error) return error;
  throw new Error('It did not fail.');
}

/** A broker that has just started answers COORDINATOR_LOAD_IN_PROGRESS first. */
async function newProducerId(cluster: Cluster, leader: number | null) {
  for (;;) {
    const reply = await cluster.request(leader, initProducerId, {});
    if (reply.errorCode !== 14) return reply;
  }
}

const scram = (mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512', password?: string): SignIn => ({
  mechanism,
  account: async () => ({
    username: stack.scramUser.username,
    password: password ?? stack.scramUser.password,
  }),
  refused: () => {},
  remedy: '',
});

describe('the wire, on a real broker', () => {
  it('signs in with an access token, writes a stamped batch, and finds its stamp', async () => {
    const cluster = clusterAt('OAUTH', { signIn: bearer() });
    const { partitions, topicId, clusterId } = await cluster.metadata('logs');
    expect(partitions.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(topicId).toMatch(/^[\w-]{22}$/);
    expect(clusterId).not.toBeNull();
    const leader = partitions[1]?.leader ?? null;
    const { producerId, epoch } = await newProducerId(cluster, leader);
    const write = async (id: string | null, sequence: number) => {
      const records = tinyBatch(`line ${sequence}`, { producerId, epoch, sequence });
      const request = {
        acks: -1,
        timeoutMs: 5_000,
        topic: 'logs',
        topicId: id,
        partitions: [{ partition: 1, records: [records.subarray(0, 30), records.subarray(30)] }],
      };
      const reply = await cluster.request(leader, produce, request);
      return reply.partitions[0];
    };
    expect(await write(topicId, 0)).toMatchObject({ partition: 1, errorCode: 0, baseOffset: 0n });
    expect(await write(null, 1)).toMatchObject({
      errorCode: 0,
      baseOffset: 1n,
      logAppendTime: -1n,
    });
    // The same stamp again: the first offset, and nothing stored twice.
    expect(await write(topicId, 0)).toMatchObject({ errorCode: 0, baseOffset: 0n });
    expect(await write(topicId, 9)).toMatchObject({ errorCode: 45 });
    // Of a topic made again under the same name.
    expect(await write('AAECAwQFBgcICQoLDA0ODw', 2)).toMatchObject({ errorCode: 100 });
    const described = await cluster.request(leader, describeProducers, {
      topic: 'logs',
      partitions: [1],
    });
    expect(described.partitions).toMatchObject([
      { partition: 1, errorCode: 0, producers: [{ producerId, epoch: 0, lastSequence: 1 }] },
    ]);
    expect(events.map(({ code }) => code)).toEqual(['CONNECTED']);
    const values: string[] = [];
    for await (const { value } of stack.readTopic('logs')) {
      values.push(String(value));
    }
    expect(values).toEqual(['line 0', 'line 1']);
  });

  it.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('signs in with %s', async (mechanism) => {
    const cluster = clusterAt('SCRAM', { signIn: scram(mechanism) });
    expect((await cluster.metadata('logs')).partitions).toHaveLength(3);
  });

  it('signs in with a client certificate', async () => {
    const { certFile, keyFile } = stack.clientCertificate;
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const cluster = clusterAt('MTLS', { tls });
    expect((await cluster.metadata('logs')).partitions).toHaveLength(3);
  });

  it('speaks plain text without a sign-in', async () => {
    const cluster = clusterAt('INTERNAL', { tls: false });
    expect((await cluster.metadata('logs')).partitions).toHaveLength(3);
  });

  it('tells a topic that is not there', async () => {
    const cluster = clusterAt('INTERNAL', { tls: false });
    expect(await failure(cluster.metadata('no-such-topic'))).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
  });

  it('tells a token that the broker refuses, once a new one is refused too', async () => {
    const signIn = bearer((asked) => `made-up-${asked}`);
    const error = await failure(clusterAt('OAUTH', { signIn }).metadata('logs'));
    expect(error.code).toBe('TOKEN_REFUSED_BY_BROKER');
    expect(error.message).not.toContain('made-up');
    expect(signIn.refusals).toEqual(['made-up-1', 'made-up-2']);
  });

  it('goes on with a new token when the first is refused', async () => {
    const signIn = bearer((asked) => (asked === 1 ? 'made-up' : accessToken));
    await clusterAt('OAUTH', { signIn }).metadata('logs');
    expect(signIn.refusals).toEqual(['made-up']);
  });

  it('tells a wrong password', async () => {
    const signIn = scram('SCRAM-SHA-512', 'wrong');
    const error = await failure(clusterAt('SCRAM', { signIn }).metadata('logs'));
    expect(error).toMatchObject({ code: 'SIGN_IN_REFUSED', retriable: false });
  });

  it('tells a mechanism that the broker does not offer there', async () => {
    const error = await failure(clusterAt('SCRAM', { signIn: bearer() }).metadata('logs'));
    expect(error.code).toBe('SIGN_IN_REFUSED');
    expect(error.message).toContain('it offers: SCRAM-SHA');
  });

  it('tells a port that wants TLS, and one that has none', async () => {
    const plain = await failure(clusterAt('OAUTH', { tls: false }).metadata('logs'));
    expect(plain.code).toBe('BROKER_WANTS_TLS');
    const encrypted = await failure(clusterAt('INTERNAL').metadata('logs'));
    expect(encrypted.code).toBe('BROKER_NOT_TLS');
  });

  it('tells a certificate that is not trusted, and a client certificate that is missing', async () => {
    const untrusted = await failure(clusterAt('MTLS', { tls: { ca: [] } }).metadata('logs'));
    expect(untrusted.code).toBe('BROKER_CERTIFICATE_REFUSED');
    const missing = await failure(clusterAt('MTLS').metadata('logs'));
    expect(missing.code).toBe('CLIENT_CERTIFICATE_REFUSED');
  });

  it('guesses that a sign-in is wanted', async () => {
    const error = await failure(clusterAt('OAUTH').metadata('logs'));
    expect(error.message).toContain('wants a sign-in');
  });

  it.each<[string, Listener, () => SignIn]>([
    ['a token', 'OAUTH', () => bearer()],
    ['SCRAM', 'SCRAM', () => scram('SCRAM-SHA-512')],
  ])(
    'renews sessions of five seconds with %s under load, over one connection',
    async (_how, listener, how) => {
      const cluster = clusterAt(listener, { signIn: how() });
      const until = performance.now() + 2.5 * sessionMs;
      let answered = 0;
      const ask = async (): Promise<void> => {
        while (performance.now() < until) {
          await cluster.metadata('logs');
          answered += 1;
        }
      };
      await Promise.all([ask(), ask(), ask(), ask()]);
      expect(answered).toBeGreaterThan(1_000);
      expect(events.map(({ code }) => code)).toEqual(['CONNECTED']);
    },
  );

  it('lets requests through while its token source hangs, and comes back after it', async () => {
    let hang = false;
    let release: () => void = () => {};
    const signIn = bearer(async () => {
      if (hang) {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return accessToken;
    });
    const cluster = clusterAt('OAUTH', { signIn });
    await cluster.metadata('logs');
    hang = true;
    const until = performance.now() + 1.6 * sessionMs;
    let slowest = 0;
    setTimeout(() => {
      hang = false;
      release();
    }, 1.3 * sessionMs);
    while (performance.now() < until) {
      const started = performance.now();
      await cluster.metadata('logs');
      slowest = Math.max(slowest, performance.now() - started);
    }
    // Held from shortly before the session's end until the token came, and no longer.
    expect(slowest).toBeLessThan(0.5 * sessionMs);
    expect(events.map(({ code }) => code)).toEqual(['CONNECTED']);
  });

  it('comes back when the broker does', async () => {
    const cluster = clusterAt('OAUTH', { signIn: bearer() });
    await cluster.metadata('logs');
    const [broker] = stack.brokers;
    await broker?.kill();
    expect(await failure(cluster.metadata('logs'))).toMatchObject({ code: 'BROKER_UNREACHABLE' });
    await broker?.start();
    expect((await cluster.metadata('logs')).partitions).toHaveLength(3);
  });
});
