/** Several brokers: which one is asked, and what metadata says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AuthenticationError, BrokerError } from '../../../src/errors.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { broker, cleanUpAfter, clusterOf, failure } from './cluster-fixture.ts';
import { keys, metadataReply, producerIdReply, type Script } from './scripted-broker.ts';

const ask = { timeoutMs: 3_000 };

describe('a cluster', () => {
  it('sorts partitions, and knows those without a leader', async () => {
    const server = await broker(() =>
      metadataReply([server], [{ name: 'logs', leaders: [1, -1, 1] }]),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    expect(await cluster.metadata('logs')).toEqual({
      clusterId: 'cluster',
      topic: 'logs',
      topicId: null,
      partitions: [
        { id: 0, leader: 1 },
        { id: 1, leader: null },
        { id: 2, leader: 1 },
      ],
    });
  });

  it.each([
    [3, 'UNKNOWN_TOPIC_OR_PARTITION', true],
    [29, 'TOPIC_AUTHORIZATION_FAILED', false],
    [5, 'LEADER_NOT_AVAILABLE', true],
  ])('throws error %i of a topic as %s', async (errorCode, code, retriable) => {
    const server = await broker(() => metadataReply([server], [{ name: 'logs', errorCode }]));
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const error = await failure(cluster.metadata('logs'));
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ code, errorCode, retriable });
    expect(error.message).toContain('topic logs');
  });

  it('sends to the leader that metadata names, over one connection a broker', async () => {
    const other = await broker(() => producerIdReply(2n));
    const first = await broker((request) =>
      request.key === keys.metadata
        ? metadataReply([first, other], [{ name: 'logs', leaders: [2] }])
        : producerIdReply(1n),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [first] });
    await cluster.metadata('logs');
    const replies = await Promise.all(
      [1, 2, 2].map((id) => cluster.request(id, initProducerId, {}, ask)),
    );
    expect(replies.map(({ producerId }) => producerId)).toEqual([1n, 2n, 2n]);
    expect([first.connections(), other.connections()]).toEqual([1, 1]);
  });

  it('knows no broker that metadata did not name', async () => {
    const { cluster } = clusterOf({ bootstrapBrokers: [] });
    expect(await failure(cluster.request(5, initProducerId, {}, ask))).toMatchObject({
      code: 'BROKER_UNREACHABLE',
      sent: false,
    });
  });

  it('tries all bootstrap brokers at once: one that is silent costs no time', async () => {
    const silent = createServer((socket) => {
      cleanUpAfter(async () => socket.destroy());
      socket.resume();
      gone.push(new Promise((resolve) => socket.once('close', resolve)));
    });
    const gone: Promise<unknown>[] = [];
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanUpAfter(async () => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const dead = await broker(() => null);
    await dead.close();
    const good = await broker(() => producerIdReply(4n));
    const { cluster, codes } = clusterOf({
      bootstrapBrokers: [{ host: '127.0.0.1', port }, dead, good],
      connectTimeoutMs: 20_000,
    });
    const started = performance.now();
    expect((await cluster.request(null, initProducerId, {}, ask)).producerId).toBe(4n);
    expect(performance.now() - started).toBeLessThan(2_000);
    // The others are given up, and nothing is said of them.
    await Promise.all(gone);
    expect(codes()).toEqual(['CONNECTED']);
  });

  it('says of each bootstrap broker why it failed when all do, and throws what most needs an operator', async () => {
    const dead = await broker(() => null);
    await dead.close();
    const hangsUp = await broker(() => null, {
      versions: ({ socket }) => {
        socket.destroy();
        return null;
      },
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [dead, hangsUp] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'BROKER_WANTS_TLS', sent: false });
    // What may pass by itself is said once it has lasted.
    expect(codes()).toEqual(['BROKER_WANTS_TLS']);
    await failure(cluster.request(null, initProducerId, {}, ask));
    await failure(cluster.request(null, initProducerId, {}, ask));
    expect(codes().toSorted()).toEqual([
      'BROKER_UNREACHABLE',
      'BROKER_WANTS_TLS',
      'BROKER_WANTS_TLS',
      'BROKER_WANTS_TLS',
    ]);
  });

  it('finds its way by brokers that it knows when the bootstrap ones are gone', async () => {
    const other = await broker(() => producerIdReply(2n));
    const first = await broker(() =>
      metadataReply([first, other], [{ name: 'logs', leaders: [2] }]),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [first] });
    await cluster.metadata('logs');
    const lost = [...first.sockets].map((socket) => once(socket, 'close'));
    await first.close();
    await Promise.all(lost);
    for (;;) {
      const reply = await cluster.request(null, initProducerId, {}, ask).catch(() => null);
      if (reply === null) continue;
      expect(reply.producerId).toBe(2n);
      break;
    }
  });

  it('says that a broker drops each connection at its first request, though it takes every one', async () => {
    const server = await broker(({ socket }) => {
      socket.end();
      return null;
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await failure(cluster.request(null, initProducerId, {}, ask));
    }
    expect(codes()).toEqual(['CONNECTED', 'CONNECTED', 'CONNECTED', 'CONNECTION_LOST']);
  });

  it('says nothing of connections lost one by one with answers in between', async () => {
    const server = await broker(({ socket, connection, id }) => {
      if (id === 1 && connection < 5) return producerIdReply(1n);
      socket.end();
      return null;
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await cluster.request(null, initProducerId, {}, ask);
      await failure(cluster.request(null, initProducerId, {}, ask));
    }
    expect(new Set(codes())).toEqual(new Set(['CONNECTED']));
  });

  it('connects again when a broker is back', async () => {
    const script: Script = () => producerIdReply(1n);
    const first = await broker(script);
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [first] });
    await cluster.request(null, initProducerId, {}, ask);
    await first.close();
    await failure(cluster.request(null, initProducerId, {}, ask));
    await broker(script, { port: first.port });
    await cluster.request(null, initProducerId, {}, ask);
    expect(codes().at(-1)).toBe('CONNECTED');
  });

  it('leaves a broker that metadata has forgotten', async () => {
    let move = false;
    const next = await broker(() => producerIdReply(2n));
    const old = await broker(() => producerIdReply(1n));
    const front = await broker((request) =>
      request.key === keys.metadata
        ? metadataReply([move ? next : old], [{ name: 'logs', leaders: [1] }])
        : producerIdReply(0n),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [front] });
    await cluster.metadata('logs');
    await cluster.request(1, initProducerId, {}, ask);
    const [socket] = old.sockets;
    move = true;
    const left = new Promise((resolve) => socket?.once('close', resolve));
    // Any connection may be asked: only the front one answers metadata.
    await cluster.metadata('logs');
    await left;
    expect((await cluster.request(1, initProducerId, {}, ask)).producerId).toBe(2n);
  });

  it('does not keep the process alive', async () => {
    const server = await broker(() => producerIdReply(1n));
    const script = fileURLToPath(new URL('idle-process.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, `${server.port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('held')) child.kill();
    });
    await once(child, 'close');
    expect(said).toBe('asked\nexit\n');
  });
});

describe('Bootstrap brokers that are told only when they are needed', () => {
  it('are asked for when no connection is left, and not before', async () => {
    const server = await broker(() => producerIdReply(1n));
    let asked = 0;
    const { cluster } = clusterOf({
      bootstrapBrokers: async () => {
        asked += 1;
        return [server];
      },
    });
    expect(asked).toBe(0);
    await Promise.all([1, 2, 3].map(() => cluster.request(null, initProducerId, {}, ask)));
    expect([asked, server.connections()]).toEqual([1, 1]);
    for (const socket of server.sockets) socket.destroy();
    await expect.poll(() => cluster.connected).toBe(false);
    await cluster.request(null, initProducerId, {}, ask);
    expect([asked, server.connections()]).toEqual([2, 2]);
  });

  it('reject the request with what they reject with, and are asked for again by the next', async () => {
    const server = await broker(() => producerIdReply(1n));
    let asked = 0;
    const { cluster, codes } = clusterOf({
      bootstrapBrokers: async () => {
        asked += 1;
        if (asked === 1) throw new AuthenticationError('SERVICE_REFUSED', 'No key for you.', false);
        return [server];
      },
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'SERVICE_REFUSED', message: 'No key for you.' });
    await cluster.request(null, initProducerId, {}, ask);
    expect(codes()).toEqual(['CONNECTED']);
  });

  it('are given up where nobody tells them in time, and that is said', async () => {
    const { cluster, events } = clusterOf({
      bootstrapBrokers: () => new Promise(() => {}),
      connectTimeoutMs: 100,
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message:
        'Nobody has told within 100 ms where the brokers are. Check the network and the Diaspora service, or set bootstrapBrokers.',
      retriable: true,
    });
    expect(events).toMatchObject([{ code: 'SERVICE_UNAVAILABLE', message: error.message }]);
  });

  it('are not waited for at the end', async () => {
    const { cluster } = clusterOf({
      bootstrapBrokers: () => new Promise(() => {}),
      connectTimeoutMs: 60_000,
    });
    const asked = failure(cluster.request(null, initProducerId, {}, ask));
    await cluster.close();
    expect(await asked).toMatchObject({ code: 'CLOSED' });
  });
});
