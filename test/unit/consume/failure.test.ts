/** What kafkajs's failures are said to be: its own errors, of real sockets where it makes them there. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type ConnectionOptions as TlsOptions } from 'node:tls';
import kafkajs from 'kafkajs';
import { type GenerateResult, generate } from 'selfsigned';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import { type Attempt, failureOf } from '../../../src/consume/failure.ts';
import { AuthenticationError } from '../../../src/errors.ts';

const attempt: Attempt = {
  groupId: 'readers',
  topics: ['logs'],
  encrypted: true,
  answered: false,
};

/** As the broker's answer becomes an error of kafkajs, wrapped once. */
function answered(type: string, code: number, message: string): Error {
  const error = new kafkajs.KafkaJSProtocolError({
    ...{ type, code, message, retriable: false, name: 'KafkaJSProtocolError' },
  });
  return new kafkajs.KafkaJSNumberOfRetriesExceeded(error, { retryCount: 5, retryTime: 100 });
}

async function portOf(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** How kafkajs fails to connect. */
async function connecting(
  broker: string,
  ssl: TlsOptions | false,
  token?: () => Promise<{ value: string }>,
  requestTimeout = 3_000,
): Promise<unknown> {
  const consumer = new kafkajs.Kafka({
    brokers: [broker],
    ssl,
    ...(token && { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: token } }),
    retry: { retries: 1, initialRetryTime: 1, maxRetryTime: 1 },
    connectionTimeout: 3_000,
    requestTimeout,
    enforceRequestTimeout: true,
    logLevel: kafkajs.logLevel.NOTHING,
  }).consumer({ groupId: attempt.groupId });
  const failure = await consumer.connect().then(
    () => null,
    (error: unknown) => error,
  );
  await consumer.disconnect();
  return failure;
}

describe('a right that is missing', () => {
  const denied = answered('TOPIC_AUTHORIZATION_FAILED', 29, 'Not authorized to access topics');

  it('is named with the topic, and with what to do', () => {
    expect(failureOf(denied, attempt)).toEqual({
      code: 'READ_DENIED',
      message:
        'Topic logs does not exist, or this account may not read it (the broker does not tell which): check the spelling; else claim it, or ask its owner.',
    });
  });

  it('is one of several topics where there are several: the broker does not say which', () => {
    const message = failureOf(denied, { ...attempt, topics: ['logs', 'more'] })?.message;
    expect(message).toMatch(/^One of the topics logs, more does not exist, or/);
  });

  it('may be that of the group', () => {
    const error = answered('GROUP_AUTHORIZATION_FAILED', 30, 'Not authorized to access group');
    expect(failureOf(error, attempt)).toMatchObject({
      code: 'READ_DENIED',
      message: expect.stringContaining('may not use consumer group readers:'),
    });
  });
});

it('a topic that does not exist is named', () => {
  const error = answered('UNKNOWN_TOPIC_OR_PARTITION', 3, 'This server does not host it');
  expect(failureOf(error, attempt)).toEqual({
    code: 'TOPIC_UNKNOWN',
    message: 'Topic logs does not exist: check the spelling; else create or claim it.',
  });
});

it('what nobody knows is told in its innermost words', () => {
  const error = new Error('outside', { cause: new Error('inside') });
  expect(failureOf(error, attempt)).toEqual({
    code: 'CONSUMER_RESTARTED',
    message: 'The consumer of group readers stopped (inside).',
  });
});

describe('a broker that cannot be reached', () => {
  let certificate: GenerateResult;

  beforeAll(async () => {
    certificate = await generate([{ name: 'commonName', value: 'stranger.example' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'stranger.example' }] },
      ],
    });
  });

  const tlsServer = (): Promise<number> =>
    portOf(createTlsServer({ key: certificate.private, cert: certificate.cert }, () => {}));

  it('refuses the connection', async () => {
    const server = createServer();
    const port = await portOf(server);
    server.close();
    const failure = failureOf(await connecting(`127.0.0.1:${port}`, false), attempt);
    expect(failure).toEqual({
      code: 'BROKER_UNREACHABLE',
      message: `Broker 127.0.0.1:${port} cannot be reached (ECONNREFUSED). Check bootstrapBrokers, the network, and that the broker runs.`,
    });
  });

  it('has a name that nobody knows', async () => {
    const failure = failureOf(await connecting('broker.invalid:9092', false), attempt);
    expect(failure?.code).toBe('BROKER_HOST_UNKNOWN');
    expect(failure?.message).toMatch(/^The name of broker broker\.invalid:9092 cannot be resolved/);
  });

  it.each([
    { how: 'hangs up', act: (socket: Socket) => socket.once('data', () => socket.end()) },
    {
      how: 'breaks off',
      act: (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
    },
    { how: 'answers', act: (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') },
  ])('$how when TLS is spoken to its plain port', async ({ act }) => {
    const port = await portOf(createServer(act));
    const failure = failureOf(await connecting(`127.0.0.1:${port}`, {}), attempt);
    expect(failure?.code).toBe('BROKER_NOT_TLS');
    expect(failure?.message).toMatch(/Use the broker's TLS port, or set tls: false\.$/);
  });

  it('wants TLS where plain text is spoken to it', async () => {
    const broker = `127.0.0.1:${await tlsServer()}`;
    const failure = failureOf(await connecting(broker, false), { ...attempt, encrypted: false });
    expect(failure?.code).toBe('BROKER_WANTS_TLS');
    expect(failure?.message).toMatch(/Leave tls on, or use another port\.$/);
  });

  it('has a certificate of an authority that is not trusted', async () => {
    const error = await connecting(`127.0.0.1:${await tlsServer()}`, {});
    expect(failureOf(error, attempt)).toMatchObject({
      code: 'BROKER_CERTIFICATE_REFUSED',
      message: expect.stringContaining('Set tls.ca or DIASPORA_CA_FILE'),
    });
  });

  it('has a certificate for another name', async () => {
    const error = await connecting(`127.0.0.1:${await tlsServer()}`, { ca: certificate.cert });
    expect(failureOf(error, attempt)).toMatchObject({
      code: 'BROKER_CERTIFICATE_REFUSED',
      message: expect.stringMatching(/does not match.*set tls\.servername\.$/),
    });
  });

  it('asks for a certificate of the client', async () => {
    const server = createTlsServer({
      key: certificate.private,
      cert: certificate.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const ssl = { ca: certificate.cert, servername: 'stranger.example' };
    const error = await connecting(`127.0.0.1:${await portOf(server)}`, ssl);
    expect(failureOf(error, attempt)).toMatchObject({
      code: 'CLIENT_CERTIFICATE_REFUSED',
      message: expect.stringContaining('Set tls.cert and tls.key, or tls.pfx'),
    });
  });

  it('is no other kind of port once it has answered: the connection is lost', async () => {
    const port = await portOf(createServer((socket) => socket.once('data', () => socket.end())));
    const error = await connecting(`127.0.0.1:${port}`, false);
    const plain = { ...attempt, encrypted: false };
    expect(failureOf(error, plain)?.code).toBe('BROKER_WANTS_TLS');
    expect(failureOf(error, { ...plain, answered: true })).toEqual({
      code: 'CONNECTION_LOST',
      message: `The connection to broker 127.0.0.1:${port} broke (it closed the connection).`,
    });
  });
});

/** A broker that knows ApiVersions, SaslHandshake and SaslAuthenticate (keys 18, 17 and 36), by https://kafka.apache.org/protocol.html. */
function replyTo(request: Buffer): Buffer {
  const noError = '0000';
  const apis = '00000003' + '001200000002' + '001100000001' + '002400000000' + '00000000';
  const mechanisms = `00000001000b${Buffer.from('OAUTHBEARER').toString('hex')}`;
  const body = Buffer.from(noError + (request.readInt16BE(4) === 18 ? apis : mechanisms), 'hex');
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4);
  request.copy(head, 4, 8, 12);
  return Buffer.concat([head, body]);
}

it.each([true, false])(
  'what the source of tokens has said is not said again (retriable: %s)',
  async (retriable) => {
    const port = await portOf(
      createServer((socket) => {
        socket.on('data', (request) => socket.write(replyTo(request)));
      }),
    );
    const error = await connecting(`127.0.0.1:${port}`, false, async () => {
      throw new AuthenticationError('TOKEN_MODULE_FAILED', 'The module failed.', retriable);
    });
    expect(error).toBeInstanceOf(Error);
    expect(failureOf(error, attempt)).toBeNull();
  },
);

type Act = (socket: Socket, request: Buffer) => void;

/** Port of a broker that does this with the token that it is sent. */
const tokenPort = (act: Act): Promise<number> =>
  portOf(
    createServer((socket) => {
      socket.on('data', (request) => {
        if (request.readInt16BE(4) === 36) act(socket, request);
        else socket.write(replyTo(request));
      });
    }),
  );

/** SaslAuthenticate's answer with the error SASL_AUTHENTICATION_FAILED (58) and these words. */
const refusing =
  (words: string): Act =>
  (socket, request) => {
    const said = Buffer.from(words);
    const length = Buffer.alloc(2);
    length.writeInt16BE(said.length);
    const body = Buffer.concat([Buffer.from([0, 58]), length, said, Buffer.alloc(4)]);
    const head = Buffer.alloc(8);
    head.writeInt32BE(body.length + 4);
    request.copy(head, 4, 8, 12);
    socket.write(Buffer.concat([head, body]));
  };

describe('A sign-in', () => {
  async function signingIn(act: Act): Promise<unknown> {
    const port = await tokenPort(act);
    return connecting(`127.0.0.1:${port}`, false, async () => ({ value: 'token' }), 200);
  }

  it('whose connection breaks is not refused', async () => {
    const error = await signingIn((socket) => socket.resetAndDestroy());
    expect(failureOf(error, attempt)).toEqual({
      code: 'CONNECTION_LOST',
      message: 'The connection to a broker broke during the sign-in (read ECONNRESET).',
    });
  });

  it('whose connection was lost while the token was asked for is not refused', () => {
    const error = Object.assign(
      new Error('SASL OAUTHBEARER authentication failed: Not connected'),
      { name: 'KafkaJSSASLAuthenticationError' },
    );
    expect(failureOf(error, attempt)?.code).toBe('CONNECTION_LOST');
  });

  it('that is not answered is not refused', async () => {
    expect(failureOf(await signingIn(() => undefined), attempt)).toEqual({
      code: 'REQUEST_TIMED_OUT',
      message:
        'The sign-in at a broker was not answered within requestTimeoutMs. Check the network, and that the broker runs.',
    });
  });

  it('after which the broker hangs up is refused', async () => {
    const error = await signingIn((socket) => socket.end());
    expect(failureOf(error, attempt)?.code).toBe('SIGN_IN_REFUSED');
  });

  it('is refused on one line, and without the token that the broker repeats', async () => {
    const secret = 'Ag3kPq9ZxV7mN2wR5tY8';
    const port = await tokenPort(refusing(`no \u001b[31m ${secret}\nfor us`));
    const directory = await mkdtemp(join(tmpdir(), 'diaspora-failure-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const module = join(directory, 'token.mjs');
    await writeFile(module, `export default () => '${secret}';\n`);
    const said = new Promise<unknown>((resolve) => {
      const listen = (event: unknown): void => {
        if (Object(event).code === 'SIGN_IN_REFUSED') resolve(Object(event).message);
      };
      subscribe('diaspora-logger', listen);
      onTestFinished(() => void unsubscribe('diaspora-logger', listen));
    });
    const consumer = new DiasporaConsumer({
      topic: 'logs',
      groupId: 'readers',
      bootstrapBrokers: `127.0.0.1:${port}`,
      tls: false,
      allowInsecureToken: true,
      auth: { type: 'token', module },
      diagnostics: 'silent',
    });
    onTestFinished(() => consumer.close());
    expect(await said).toContain(
      'refused the sign-in (SASL OAUTHBEARER authentication failed: no [31m [hidden] for us).',
    );
  });

  it('that the broker refuses in its own words is refused, whatever those are', async () => {
    const words = 'introspection timed out';
    const error = await signingIn(refusing(words));
    expect(failureOf(error, attempt)).toEqual({
      code: 'SIGN_IN_REFUSED',
      message: `The brokers refused the sign-in (SASL OAUTHBEARER authentication failed: ${words}). Check auth.`,
    });
  });
});
