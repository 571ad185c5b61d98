/** kafkajs's client, signed in as the options say. */
import kafkajs, { type Kafka, type KafkaConfig, type SASLOptions } from 'kafkajs';
import type { ResolvedAuth, ResolvedConnection } from '../options.ts';
import { registerZstd } from './codecs.ts';
import { Sockets } from './sockets.ts';

/** What a client needs of a source of access tokens. */
export interface BearerTokens {
  token(): Promise<{ value: string }>;
}

export interface ClientEvents {
  /** A connection is about to be made. */
  readonly onConnecting?: () => void;
  /** There is no token. kafkajs leaves that connection in the middle of its sign-in, and never gets it out of there. */
  readonly onTokenFailed?: (error: unknown) => void;
}

export interface Client {
  readonly kafka: Kafka;
  /** Breaks what connections there are, and makes no more: kafkajs has no bound for how long it takes to end. */
  disconnect(): void;
}

/** Attempts inside kafkajs, before a failure comes out to where it is reported and tried again. */
const retriesInside = 5;

/**
 * How long before its session ends a connection signs in anew, in milliseconds. kafkajs's own are 10 s: of a session that is
 * shorter, each request would begin with signing in, and a broker refuses that more often than once a second
 * (`MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS` in its `KafkaChannel`).
 */
const reauthenticationThresholdMs = 2_000;

export function createClient(
  options: ResolvedConnection,
  tokens: BearerTokens | null,
  { onConnecting = () => undefined, onTokenFailed = () => undefined }: ClientEvents = {},
): Client {
  registerZstd();
  const { auth, bootstrapBrokers, clientId, tls, requestTimeoutMs, retry } = options;
  const sasl = saslOf(auth, tokens, onTokenFailed);
  const sockets = new Sockets(onConnecting);
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
    reauthenticationThreshold: reauthenticationThresholdMs,
    socketFactory: sockets.open,
    retry: { initialRetryTime: retry.minMs, maxRetryTime: retry.maxMs, retries: retriesInside },
    logLevel: kafkajs.logLevel.NOTHING,
    // kafkajs logs whole requests at some levels: what matters is reported as diagnostics instead.
    logCreator: () => () => undefined,
  };
  return { kafka: new kafkajs.Kafka(config), disconnect: () => sockets.destroy() };
}

function saslOf(
  auth: ResolvedAuth,
  tokens: BearerTokens | null,
  onTokenFailed: (error: unknown) => void,
): SASLOptions | null {
  if (tokens) {
    return {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => {
        try {
          return { value: (await tokens.token()).value };
        } catch (cause) {
          onTokenFailed(cause);
          // Another attempt on the same connection is out of turn: brokers refuse it, and that would hide the cause.
          const reason = cause instanceof Error ? cause : String(cause);
          throw Object.assign(new kafkajs.KafkaJSNonRetriableError(reason), { cause });
        }
      },
    };
  }
  if (auth.type !== 'scram') return null;
  const { username, password } = auth;
  return auth.mechanism === 'SCRAM-SHA-256'
    ? { mechanism: 'scram-sha-256', username, password }
    : { mechanism: 'scram-sha-512', username, password };
}
