/** One connection: pipelining, deadlines, and brokers that misbehave. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { AuthenticationError } from '../../../src/errors.ts';
import { Connection, software } from '../../../src/wire/connection.ts';
import { describeProducers } from '../../../src/wire/requests/describe-producers.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { metadata } from '../../../src/wire/requests/metadata.ts';
import { produce } from '../../../src/wire/requests/produce.ts';
import { broker, cleanUpAfter, clusterOf, failure } from './cluster-fixture.ts';
import {
  apiVersionsReply,
  body,
  keys,
  metadataReply,
  producerIdReply,
  replyFrame,
} from './scripted-broker.ts';
import { block, threadedBroker } from './threaded-broker.ts';

const ask = { timeoutMs: 3_000 };

describe('a connection', () => {
  it('introduces itself with the version of the package', () => {
    expect(software.softwareVersion).toBe(packageJson.version);
  });

  it('asks for versions first, in version 3, and then uses the highest that both know', async () => {
    const server = await broker(() => producerIdReply(7n));
    const { cluster, events } = clusterOf({ bootstrapBrokers: [server], clientId: 'me' });
    const reply = await cluster.request(null, initProducerId, {}, ask);
    expect(reply).toEqual({ throttleMs: 0, errorCode: 0, producerId: 7n, epoch: 0 });
    expect(server.requests.map(({ key, version, clientId }) => [key, version, clientId])).toEqual([
      [keys.apiVersions, 3, 'me'],
      [keys.initProducerId, 1, 'me'],
    ]);
    expect(events).toMatchObject([{ code: 'CONNECTED', detail: { port: server.port } }]);
    expect(cluster.connected).toBe(true);
  });

  it('asks for versions in version 0 where the broker knows no other', async () => {
    const server = await broker(() => producerIdReply(7n), {
      versions: (request) =>
        request.version === 0
          ? apiVersionsReply(request)
          : body((writer) => {
              writer.int16(35);
              writer.array([], () => {});
            }),
    });
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    expect(server.requests.map(({ version }) => version)).toEqual([3, 0, 1]);
  });

  it('refuses a request that the broker does not know', async () => {
    const server = await broker(() => null);
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const request = { topic: 't', partitions: [0] };
    const error = await failure(cluster.request(null, describeProducers, request, ask));
    expect(error).toMatchObject({ code: 'BROKER_TOO_OLD', sent: false });
    expect(error.message).toContain(`127.0.0.1:${server.port} does not know it`);
    expect(cluster.connected).toBe(true);
  });

  it('pipelines requests, and matches replies by their correlation id', async () => {
    const server = await broker(() => null);
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const first = cluster.request(null, initProducerId, {}, ask);
    const second = cluster.request(null, initProducerId, {}, ask);
    const one = await server.arrived(keys.initProducerId, 1);
    const two = await server.arrived(keys.initProducerId, 2);
    two.socket.write(replyFrame(two.id, producerIdReply(2n)));
    two.socket.write(replyFrame(one.id, producerIdReply(1n)));
    expect((await first).producerId).toBe(1n);
    expect((await second).producerId).toBe(2n);
    expect(server.connections()).toBe(1);
  });

  it('reads a reply that arrives split at any place', async () => {
    const whole = replyFrame(0, producerIdReply(9n));
    const server = await broker(() => null);
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    for (let cut = 1; cut < whole.length; cut += 1) {
      const asked = cluster.request(null, initProducerId, {}, ask);
      const { socket, id } = await server.arrived(keys.initProducerId, cut);
      const frame = replyFrame(id, producerIdReply(BigInt(cut)));
      socket.setNoDelay(true);
      socket.write(frame.subarray(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(frame.subarray(cut));
      expect((await asked).producerId).toBe(BigInt(cut));
    }
    expect(server.connections()).toBe(1);
  });

  it('sends the pieces of a batch as one field', async () => {
    const records = [Buffer.alloc(300_000, 1), Buffer.alloc(300_000, 2)];
    const server = await broker(() =>
      body((writer) => {
        writer.array([], () => {});
        writer.int32(0);
      }),
    );
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const partitions = [{ partition: 3, records }];
    const request = { acks: -1, timeoutMs: 1_000, topic: 't', topicId: null, partitions };
    expect(await cluster.request(null, produce, request, ask)).toEqual({
      partitions: [],
      throttleMs: 0,
    });
    const arrived = await server.arrived(keys.produce);
    expect(arrived.body.subarray(-600_004).readInt32BE()).toBe(600_000);
    expect(arrived.body.subarray(-600_000).equals(Buffer.concat(records))).toBe(true);
  });

  it('holds requests back while too many bytes are unanswered', async () => {
    const server = await broker(() => null);
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const partitions = [{ partition: 0, records: Buffer.alloc(20 * 2 ** 20) }];
    const request = { acks: -1, timeoutMs: 1_000, topic: 't', topicId: null, partitions };
    const empty = body((writer) => {
      writer.array([], () => {});
      writer.int32(0);
    });
    const first = cluster.request(null, produce, request);
    const second = cluster.request(null, produce, request);
    const third = cluster.request(null, initProducerId, {});
    const one = await server.arrived(keys.produce, 1);
    expect(server.requests.filter(({ key }) => key !== keys.apiVersions)).toHaveLength(1);
    one.socket.write(replyFrame(one.id, empty));
    await first;
    const two = await server.arrived(keys.produce, 2);
    two.socket.write(replyFrame(two.id, empty));
    await second;
    const three = await server.arrived(keys.initProducerId);
    three.socket.write(replyFrame(three.id, producerIdReply(1n)));
    await third;
  });

  it('keeps silent for as long as the broker asks', async () => {
    const server = await broker(({ id }) => producerIdReply(BigInt(id), id === 1 ? 200 : 0));
    const { cluster, events } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    const started = performance.now();
    await cluster.request(null, initProducerId, {}, ask);
    expect(performance.now() - started).toBeGreaterThan(190);
    expect(events[1]).toMatchObject({ code: 'BROKER_THROTTLED', detail: { milliseconds: 200 } });
  });

  it('closes the connection after a request that is not answered in time, and makes another', async () => {
    const server = await broker(({ connection }) =>
      connection === 0 ? null : producerIdReply(1n),
    );
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    const unanswered = failure(cluster.request(null, initProducerId, {}, { timeoutMs: 100 }));
    const behind = failure(cluster.request(null, initProducerId, {}, { timeoutMs: 5_000 }));
    const error = await unanswered;
    expect(error).toMatchObject({ code: 'REQUEST_TIMED_OUT', sent: true });
    expect(error.message).toContain(
      `127.0.0.1:${server.port} did not answer InitProducerId within 100 ms`,
    );
    expect(await behind).toMatchObject({ code: 'REQUEST_TIMED_OUT', sent: true });
    await cluster.request(null, initProducerId, {}, ask);
    expect(codes()).toEqual(['CONNECTED', 'CONNECTED']);
  });

  it('counts the time of a request from when those before it are answered', async () => {
    const server = await broker(async ({ key }) => {
      if (key === keys.metadata) return metadataReply([server], [{ name: 'logs', leaders: [1] }]);
      // A Produce that waits for its followers: the broker serves nothing else of the connection meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 400));
      return body((writer) => {
        writer.array([], () => {});
        writer.int32(0);
      });
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    const request = { acks: -1, timeoutMs: 25_000, topic: 't', topicId: null, partitions: [] };
    const produced = cluster.request(null, produce, request);
    const asked = cluster.request(null, metadata, { topics: ['logs'] }, { timeoutMs: 200 });
    expect((await produced).partitions).toEqual([]);
    expect((await asked).brokers).toHaveLength(1);
    expect([codes(), server.connections()]).toEqual([['CONNECTED'], 1]);
  });

  it('gives up what it could not send, and leaves what is in flight alone', async () => {
    const empty = body((writer) => {
      writer.array([], () => {});
      writer.int32(0);
    });
    const server = await broker(({ key }) => (key === keys.produce ? empty : producerIdReply(1n)));
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    const [socket] = server.sockets;
    socket?.pause();
    // More than both sides' buffers hold.
    const partitions = [{ partition: 0, records: Buffer.alloc(30 * 2 ** 20) }];
    const request = { acks: -1, timeoutMs: 1_000, topic: 't', topicId: null, partitions };
    const produced = cluster.request(null, produce, request);
    const error = await failure(cluster.request(null, initProducerId, {}, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'REQUEST_TIMED_OUT', sent: false });
    socket?.resume();
    expect((await produced).partitions).toEqual([]);
  });

  it('reads an answer that came in time although its own event loop was blocked until too late', async () => {
    const server = await threadedBroker(producerIdReply(7n));
    cleanUpAfter(() => server.close());
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    const asked = cluster.request(null, initProducerId, {}, { timeoutMs: 100 });
    // The connection is there: a few microtasks later the request is written.
    for (let turn = 0; turn < 20; turn += 1) await null;
    server.blockUntilAnswered(3);
    block(200);
    expect((await asked).producerId).toBe(7n);
  });

  it.each([
    ['plain text', null],
    ['TLS', {}],
  ])('gets through to %s although its own event loop was blocked for long', async (_how, tls) => {
    const server = await threadedBroker(producerIdReply(7n), tls !== null);
    cleanUpAfter(() => server.close());
    const { cluster } = clusterOf({
      bootstrapBrokers: [server],
      tls: tls && { ...tls, rejectUnauthorized: false },
      connectTimeoutMs: 100,
    });
    const asked = cluster.request(null, initProducerId, {}, ask);
    process.nextTick(() => block(1_300));
    expect((await asked).producerId).toBe(7n);
  });

  it('ended by an error about sign-in rejects what was sent as perhaps carried out', async () => {
    const server = await broker(() => null);
    const socket = connect(server.port, server.host);
    await once(socket, 'connect');
    const connection = new Connection({
      socket,
      broker: server,
      clientId: 'me',
      encrypted: false,
      signsIn: true,
      report: () => {},
    });
    await connection.negotiate(3_000);
    const sent = failure(connection.request(initProducerId, {}, ask));
    await server.arrived(keys.initProducerId);
    void connection.hold();
    const held = failure(connection.request(initProducerId, {}, ask));
    const refused = new AuthenticationError('TOKEN_REFUSED_BY_BROKER', 'no', false);
    connection.destroy(refused);
    expect(await sent).toMatchObject({ code: 'CONNECTION_LOST', sent: true, cause: refused });
    expect(await held).toBe(refused);
  });

  it('rejects what was never written as not sent', async () => {
    const server = await broker(({ id }) => producerIdReply(1n, id === 1 ? 60_000 : 0));
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    const error = await failure(cluster.request(null, initProducerId, {}, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'REQUEST_TIMED_OUT', sent: false });
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    ['resets', true],
    ['closes', false],
  ])('rejects what is outstanding once when the broker %s the connection', async (_how, reset) => {
    const server = await broker(({ socket }) => {
      if (reset) socket.resetAndDestroy();
      else socket.end();
      return null;
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    const asked = [1, 2, 3].map(() => failure(cluster.request(null, initProducerId, {}, ask)));
    for (const error of await Promise.all(asked)) {
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: true });
    }
    expect(codes()).toEqual(['CONNECTED']);
  });

  it('rejects when the broker closes in the middle of a reply', async () => {
    const server = await broker(({ socket, id }) => {
      socket.end(replyFrame(id, producerIdReply(1n)).subarray(0, 11));
      return null;
    });
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: true });
  });

  it('guesses that a sign-in is wanted where the broker hangs up at the first request', async () => {
    const server = await broker(({ socket }) => {
      socket.end();
      return null;
    });
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.message).toContain('wants a sign-in. Set auth.type');
  });

  it('says nothing when the broker closes an idle connection, and makes another when needed', async () => {
    const server = await broker(() => producerIdReply(1n));
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    await cluster.request(null, initProducerId, {}, ask);
    const [socket] = server.sockets;
    socket?.end();
    if (socket) await once(socket, 'close');
    expect(cluster.connected).toBe(false);
    await cluster.request(null, initProducerId, {}, ask);
    expect(codes()).toEqual(['CONNECTED', 'CONNECTED']);
  });

  it.each([
    ['a frame too long', Buffer.from('7fffffff00000001', 'hex')],
    ['a negative length', Buffer.from('ffffffff00000001', 'hex')],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a reply to nothing', replyFrame(77, producerIdReply(1n))],
    ['a reply too short', replyFrame(1, Buffer.alloc(3))],
    ['a reply too long', replyFrame(1, Buffer.alloc(100))],
  ])('takes %s for no Kafka, and closes', async (_name, bytes) => {
    const server = await broker(({ socket }) => {
      socket.write(bytes);
      return null;
    });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [server] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'PROTOCOL_VIOLATION', sent: true });
    expect(codes()).toEqual(['CONNECTED', 'PROTOCOL_VIOLATION']);
    expect(cluster.connected).toBe(false);
  });

  it('settles everything on close, and refuses requests afterwards', async () => {
    const server = await broker(() => null);
    const { cluster } = clusterOf({ bootstrapBrokers: [server] });
    const asked = failure(cluster.request(null, initProducerId, {}, ask));
    await server.arrived(keys.initProducerId);
    await cluster.close();
    expect(await asked).toMatchObject({ sent: true });
    expect(await failure(cluster.request(null, initProducerId, {}))).toMatchObject({
      code: 'CLOSED',
      sent: false,
    });
  });

  it('settles what is still connecting on close', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanUpAfter(async () => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [{ host: '127.0.0.1', port }] });
    const asked = failure(cluster.request(null, initProducerId, {}, ask));
    await once(silent, 'connection');
    await cluster.close();
    expect(await asked).toMatchObject({ code: 'CLOSED', sent: false });
    expect(codes()).toEqual([]);
  });
});
