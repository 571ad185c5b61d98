/** Why a broker cannot be reached, told apart as an operator needs it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { type GenerateResult, generate } from 'selfsigned';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { broker, cleanUpAfter, clusterOf, failure } from './cluster-fixture.ts';
import { keys, producerIdReply, type Script } from './scripted-broker.ts';

const ask = { timeoutMs: 3_000 };
const answer: Script = () => producerIdReply(1n);

let server: GenerateResult;
let stranger: GenerateResult;

beforeAll(async () => {
  const certificate = (names: readonly string[]): Promise<GenerateResult> =>
    generate([{ name: 'commonName', value: names[0] ?? '' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
      ],
    });
  server = await certificate(['localhost', 'broker.example']);
  stranger = await certificate(['stranger.example']);
});

/** A TCP server that does one thing to each connection. */
async function listener(act: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const listening = createServer((socket) => {
    socket.on('error', () => {});
    cleanUpAfter(async () => socket.destroy());
    act(socket);
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  cleanUpAfter(async () => listening.close());
  return { host: '127.0.0.1', port: (listening.address() as AddressInfo).port };
}

const tlsOf = ({ private: key, cert }: GenerateResult) => ({ key, cert });

describe('reaching a broker', () => {
  it('goes through TLS with the server name of its host', async () => {
    const names: string[] = [];
    const tls = {
      ...tlsOf(server),
      SNICallback: (name: string, done: (error: null) => void) => {
        names.push(name);
        done(null);
      },
    };
    const { port } = await broker(answer, { tls });
    const { cluster, events } = clusterOf({
      bootstrapBrokers: [{ host: 'localhost', port }],
      tls: { ca: server.cert },
    });
    await cluster.request(null, initProducerId, {}, ask);
    expect(names).toEqual(['localhost']);
    expect(events[0]?.message).toContain('(TLSv1.3, no sign-in)');
  });

  it('checks the name that tls.servername gives, for an address too', async () => {
    const { host, port } = await broker(answer, { tls: tlsOf(server) });
    const { cluster } = clusterOf({
      bootstrapBrokers: [{ host, port }],
      tls: { ca: server.cert, servername: 'broker.example' },
    });
    await cluster.request(null, initProducerId, {}, ask);
  });

  it('refuses a certificate that nobody trusts, and names the remedy', async () => {
    const { port } = await broker(answer, { tls: tlsOf(server) });
    const bootstrapBrokers = [{ host: 'localhost', port }];
    const { cluster, codes } = clusterOf({ bootstrapBrokers, tls: { ca: stranger.cert } });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'BROKER_CERTIFICATE_REFUSED', sent: false });
    expect(error.message).toContain(`localhost:${port}`);
    expect(error.message).toContain('tls.ca or DIASPORA_CA_FILE');
    expect(codes()).toEqual(['BROKER_CERTIFICATE_REFUSED']);
  });

  it('refuses a certificate for another name, and names the remedy', async () => {
    const { host, port } = await broker(answer, { tls: tlsOf(server) });
    const { cluster } = clusterOf({
      bootstrapBrokers: [{ host, port }],
      tls: { ca: server.cert },
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('BROKER_CERTIFICATE_REFUSED');
    expect(error.message).toContain('tls.servername');
  });

  it('tells a broker that wants a client certificate', async () => {
    const tls = { ...tlsOf(server), requestCert: true, rejectUnauthorized: true, ca: server.cert };
    const { port } = await broker(answer, { tls });
    const { cluster } = clusterOf({
      bootstrapBrokers: [{ host: 'localhost', port }],
      tls: { ca: server.cert },
    });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('CLIENT_CERTIFICATE_REFUSED');
    expect(error.message).toContain('tls.cert');
  });

  it('shows its client certificate', async () => {
    const tls = {
      ...tlsOf(server),
      requestCert: true,
      rejectUnauthorized: true,
      ca: stranger.cert,
    };
    const { port } = await broker(answer, { tls });
    const { cluster } = clusterOf({
      bootstrapBrokers: [{ host: 'localhost', port }],
      tls: { ca: server.cert, ...tlsOf(stranger) },
    });
    await cluster.request(null, initProducerId, {}, ask);
    expect(inspect(cluster, { depth: 20, showHidden: true })).not.toContain('PRIVATE KEY');
  });

  it('refuses a key that cannot be used at the start', () => {
    expect(() => clusterOf({ tls: { cert: 'nonsense', key: 'nonsense' } })).toThrow(
      ConfigurationError,
    );
  });

  it.each<[string, (socket: Socket) => void]>([
    ['answers in plain text', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['closes without a word', (socket) => socket.once('data', () => socket.end())],
    ['resets without a word', (socket) => socket.once('data', () => socket.resetAndDestroy())],
  ])('tells that a port is not TLS when it %s', async (_how, act) => {
    const address = await listener(act);
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [address], tls: {} });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'BROKER_NOT_TLS', sent: false });
    expect(error.message).toContain('tls: false');
    expect(codes()).toEqual(['BROKER_NOT_TLS']);
  });

  it('tells that a port wants TLS, from a real TLS server', async () => {
    const { host, port } = await broker(answer, { tls: tlsOf(server) });
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [{ host, port }] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('BROKER_WANTS_TLS');
    expect(codes()).toEqual(['BROKER_WANTS_TLS']);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['answers with an alert', (socket) => socket.write(Buffer.from('1503030002020a', 'hex'))],
    ['closes without a word', (socket) => socket.once('data', () => socket.end())],
    ['resets without a word', (socket) => socket.once('data', () => socket.resetAndDestroy())],
  ])('tells that a port wants TLS when it %s', async (_how, act) => {
    const address = await listener(act);
    const { cluster } = clusterOf({ bootstrapBrokers: [address] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error.code).toBe('BROKER_WANTS_TLS');
  });

  it('tells a host that nobody knows', async () => {
    const bootstrapBrokers = [{ host: 'no-such-host.invalid', port: 9092 }];
    const { cluster } = clusterOf({ bootstrapBrokers });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'BROKER_HOST_UNKNOWN', sent: false });
    expect(error.message).toContain('no-such-host.invalid:9092');
  });

  it('tells a port where nobody listens', async () => {
    const { host, port, close } = await broker(answer);
    await close();
    const { cluster, codes } = clusterOf({ bootstrapBrokers: [{ host, port }] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    expect(error).toMatchObject({ code: 'BROKER_UNREACHABLE', sent: false });
    expect(error.message).toContain('ECONNREFUSED');
    // It may be about to start: the third failure in a row is worth a line.
    await failure(cluster.request(null, initProducerId, {}, ask));
    expect(codes()).toEqual([]);
    await failure(cluster.request(null, initProducerId, {}, ask));
    expect(codes()).toEqual(['BROKER_UNREACHABLE']);
  });

  it.each([
    ['TLS', {}, 'BROKER_UNREACHABLE', 'did not finish the TLS handshake within 100 ms'],
    ['plain text', null, 'REQUEST_TIMED_OUT', 'did not answer ApiVersions within 100 ms'],
  ])('gives up a server that is silent to %s', async (_how, tls, code, said) => {
    const closed = new Promise((resolve) => {
      void listener((socket) => socket.resume().once('close', resolve)).then(async (address) => {
        const { cluster } = clusterOf({ bootstrapBrokers: [address], tls, connectTimeoutMs: 100 });
        const error = await failure(cluster.request(null, initProducerId, {}, ask));
        expect(error.code).toBe(code);
        expect(error.message).toContain(said);
      }, resolve);
    });
    // The socket is gone, not only the request.
    await closed;
  });

  it('takes the server for what it is once it has answered', async () => {
    const { host, port, arrived } = await broker(({ socket }) => {
      socket.resetAndDestroy();
      return null;
    });
    const { cluster } = clusterOf({ bootstrapBrokers: [{ host, port }] });
    const error = await failure(cluster.request(null, initProducerId, {}, ask));
    await arrived(keys.initProducerId);
    expect(error.code).toBe('CONNECTION_LOST');
  });
});
