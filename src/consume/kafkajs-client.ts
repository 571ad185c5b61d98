/** kafkajs's client, signed in as the options say. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import kafkajs, {
  type ISocketFactory,
  type Kafka,
  type KafkaConfig,
  type SASLOptions,
} from 'kafkajs';
import type { ResolvedAuth, ResolvedConnection } from '../options.ts';
import { registerZstd } from './codecs.ts';

/** What a client needs of a source of access tokens. */
export interface BearerTokens {
  token(): Promise<{ value: string }>;
}

export interface Client {
  readonly kafka: Kafka;
  /** Breaks what connections there are, and makes no more: kafkajs has no bound for how long it takes to end. */
  disconnect(): void;
}

/** Attempts inside kafkajs, before a failure comes out to where it is reported and tried again. */
const retriesInside = 5;

/** When an idle connection is first probed, in milliseconds: kafkajs's own. */
const keepAliveMs = 60_000;

export function createClient(options: ResolvedConnection, tokens: BearerTokens | null): Client {
  registerZstd();
  const { auth, bootstrapBrokers, clientId, tls, requestTimeoutMs, retry } = options;
  const sasl = saslOf(auth, tokens);
  const sockets = new Sockets();
  const config: KafkaConfig = {
    clientId,
    brokers: bootstrapBrokers.map(
      ({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`,
    ),
    ssl: tls ?? false,
    ...(sasl && { sasl }),
    requestTimeout: requestTimeoutMs,
    connectionTimeout: Math.min(requestTimeoutMs, 10_000),
    enforceRequestTimeout: true,
    socketFactory: sockets.open,
    retry: { initialRetryTime: retry.minMs, maxRetryTime: retry.maxMs, retries: retriesInside },
    logLevel: kafkajs.logLevel.NOTHING,
    // kafkajs logs whole requests at some levels: what matters is reported as diagnostics instead.
    logCreator: () => () => undefined,
  };
  return { kafka: new kafkajs.Kafka(config), disconnect: () => sockets.destroy() };
}

function saslOf(auth: ResolvedAuth, tokens: BearerTokens | null): SASLOptions | null {
  if (tokens) {
    return {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: (await tokens.token()).value }),
    };
  }
  if (auth.type !== 'scram') return null;
  const { username, password } = auth;
  return auth.mechanism === 'SCRAM-SHA-256'
    ? { mechanism: 'scram-sha-256', username, password }
    : { mechanism: 'scram-sha-512', username, password };
}

/** kafkajs's own way to open sockets, with a list of them. */
class Sockets {
  readonly #sockets = new Set<net.Socket>();
  #destroyed = false;

  readonly open: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#destroyed) throw new Error('the consumer is closed');
    const socket = ssl
      ? tls.connect({ host, port, ...(!net.isIP(host) && { servername: host }), ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };

  destroy(): void {
    this.#destroyed = true;
    for (const socket of this.#sockets) {
      // kafkajs takes an error for the end of what waits for an answer, and may have stopped listening.
      socket.on('error', () => undefined);
      socket.destroy(new Error('the consumer is closed'));
    }
  }
}
