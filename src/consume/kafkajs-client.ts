/** kafkajs's client, signed in as the options say. */
import kafkajs, { type Kafka, type KafkaConfig, type SASLOptions } from 'kafkajs';
import type { ResolvedConnection } from '../options.ts';
import { registerZstd } from './codecs.ts';
import type { TopicPartition } from './positions.ts';
import { Sockets } from './sockets.ts';

/** How a client signs in. */
export type ClientSignIn =
  | {
      readonly mechanism: 'OAUTHBEARER';
      /** Asked for at each connection, and at each renewal of its session. */
      token(): Promise<string>;
    }
  | {
      readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: string;
    };

export interface ClientEvents {
  /** A connection is about to be made. */
  readonly onConnecting?: () => void;
  /** There is no token. kafkajs leaves that connection in the middle of its sign-in, and never gets it out of there. */
  readonly onTokenFailed?: (error: unknown) => void;
  /** A log does not hold the offset that was fetched. From here on, who listens says where to go on: kafkajs does nothing about it. */
  readonly onOutOfRange?: (partition: TopicPartition) => void;
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

/** What kafkajs's `ConsumerGroup` logs, with the partition, before it does so. */
const resetting = 'Offset out of range, resetting to default offset';

export function createClient(
  options: ResolvedConnection,
  signIn: ClientSignIn | null,
  {
    onConnecting = () => undefined,
    onTokenFailed = () => undefined,
    onOutOfRange = () => undefined,
  }: ClientEvents = {},
): Client {
  registerZstd();
  const { bootstrapBrokers, clientId, tls, requestTimeoutMs, retry } = options;
  const sasl = signIn && saslOf(signIn, onTokenFailed);
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
  const kafka = new kafkajs.Kafka(config);
  listenFor(onOutOfRange, kafka);
  return { kafka, disconnect: () => sockets.destroy() };
}

/** By its log, whose entries KAFKAJS_LOG_LEVEL may keep from a `logCreator`. */
function listenFor(onOutOfRange: (partition: TopicPartition) => void, kafka: Kafka): void {
  const { namespace } = kafka.logger();
  kafka.logger().namespace = (...names) => ({
    ...namespace(...names),
    error(message, extra) {
      if (message !== resetting) return;
      const { topic, partition } = Object(extra);
      onOutOfRange({ topic, partition });
      throw fetchAnew();
    },
  });
}

/**
 * Thrown where kafkajs logs that it is about to commit -1 or -2 over the group's offset, whether or not it commits by itself:
 * it begins to fetch anew instead, at once and as the member that it is. It exports this error, but has no type for it; after
 * any other it would wait, and leave the group at the sixth.
 */
function fetchAnew(): unknown {
  const fetcherRebalance: unknown = Reflect.get(kafkajs, 'KafkaJSFetcherRebalanceError');
  if (typeof fetcherRebalance !== 'function') return new Error('the offset is out of range');
  return Reflect.construct(fetcherRebalance, []);
}

function saslOf(signIn: ClientSignIn, onTokenFailed: (error: unknown) => void): SASLOptions {
  switch (signIn.mechanism) {
    case 'OAUTHBEARER':
      return {
        mechanism: 'oauthbearer',
        oauthBearerProvider: async () => {
          try {
            return { value: await signIn.token() };
          } catch (cause) {
            onTokenFailed(cause);
            // Another attempt on the same connection is out of turn: brokers refuse it, and that would hide the cause.
            const reason = cause instanceof Error ? cause : String(cause);
            throw Object.assign(new kafkajs.KafkaJSNonRetriableError(reason), { cause });
          }
        },
      };
    case 'SCRAM-SHA-256':
      return { ...accountOf(signIn), mechanism: 'scram-sha-256' };
    case 'SCRAM-SHA-512':
      return { ...accountOf(signIn), mechanism: 'scram-sha-512' };
  }
}

const accountOf = ({
  username,
  password,
}: Extract<ClientSignIn, { password: string }>): { username: string; password: string } => ({
  username,
  password,
});
