/** kafkajs's client, signed in as the options say. */
import kafkajs, { type Kafka, type KafkaConfig, type SASLOptions } from 'kafkajs';
import type { ResolvedAuth, ResolvedConnection } from '../options.ts';
import { registerZstd } from './codecs.ts';

/** What a client needs of a source of access tokens. */
export interface BearerTokens {
  token(): Promise<{ value: string }>;
}

/** Attempts inside kafkajs, before a failure comes out to where it is reported and tried again. */
const retriesInside = 5;

export function createClient(options: ResolvedConnection, tokens: BearerTokens | null): Kafka {
  registerZstd();
  const { auth, bootstrapBrokers, clientId, tls, requestTimeoutMs, retry } = options;
  const sasl = saslOf(auth, tokens);
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
    retry: { initialRetryTime: retry.minMs, maxRetryTime: retry.maxMs, retries: retriesInside },
    logLevel: kafkajs.logLevel.NOTHING,
    // kafkajs logs whole requests at some levels: what matters is reported as diagnostics instead.
    logCreator: () => () => undefined,
  };
  return new kafkajs.Kafka(config);
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
