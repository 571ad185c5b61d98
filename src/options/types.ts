/** The options as users write them, and as the package uses them. */
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';

/** How to sign in to the brokers. */
export type AuthOptions =
  | {
      /** A Globus refresh token buys access tokens, which are the OAUTHBEARER credentials. The default. */
      type: 'globus';
      /** Base URL of Globus Auth. Default `DIASPORA_ISSUER`, else `https://auth.globus.org`. Plain HTTP on loopback only. */
      issuer?: string;
      /** Default the file; where that is not given either, `DIASPORA_REFRESH`, else the token store. */
      refreshToken?: string;
      /** A file that holds the refresh token, read again at each refresh. Default `DIASPORA_REFRESH_FILE`, where `refreshToken` is not given either. */
      refreshTokenFile?: string;
      /** OAuth client. Default `DIASPORA_SDK_CLIENT_ID`, else the native app of the event service. */
      oauthClientId?: string;
      /** Secret of a confidential client. Default `DIASPORA_SDK_CLIENT_SECRET`, else none. */
      oauthClientSecret?: string;
    }
  | {
      type: 'scram';
      /** Default `SCRAM-SHA-512`. */
      mechanism?: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      username: string;
      password: string;
    }
  | {
      /** Mutual TLS: `tls.cert` and `tls.key`, or `tls.pfx`, say who connects. */
      type: 'mtls';
    }
  | {
      /** A module whose default export answers an access token, or `{ value, expiresAt }` with milliseconds since the epoch. */
      type: 'token';
      module: string;
    }
  | { type: 'none' };

/** TLS to the brokers. Each of `ca`, `cert` and `key` is PEM text or a path; `pfx` is a path. */
export interface TlsOptions {
  /** Certificates to trust instead of Node's own list. Default `DIASPORA_CA_FILE`. */
  ca?: string;
  cert?: string;
  key?: string;
  pfx?: string;
  passphrase?: string;
  /** Name to check the broker's certificate against. Default: the host that is connected to. */
  servername?: string;
  /** Default true. False accepts any certificate: whoever is in between reads everything. */
  rejectUnauthorized?: boolean;
}

/** Waiting between attempts: full jitter between 0 and a bound that doubles from `minMs` to `maxMs`. */
export interface RetryOptions {
  /** Milliseconds, 1 to 600,000. Default 100. */
  minMs?: number;
  /** Milliseconds, 1 to 600,000. Default 10,000. */
  maxMs?: number;
}

/** Reaching the brokers and signing in. */
export interface ConnectionOptions {
  /** `host:port`, several by comma or as an array. Default `DIASPORA_BOOTSTRAP`. */
  bootstrapBrokers?: string | readonly string[];
  /** Name of this client, as brokers log it. Default `diaspora-logger`. */
  clientId?: string;
  /** Default `{ type: 'globus' }`. */
  auth?: AuthOptions;
  /** Default true. */
  tls?: boolean | TlsOptions;
  /** Allows a token over plain text to a broker that is not on this machine. Default false. */
  allowInsecureToken?: boolean;
  /** Deadline of one request, in milliseconds, 6,000 to 600,000. Default 30,000. */
  requestTimeoutMs?: number;
  retry?: RetryOptions;
  /** `stderr` (one line a kind each 30 s), `silent`, or a module whose default export receives each event. Default `stderr`. */
  diagnostics?: string;
}

/** Batching, buffering and giving up. */
export interface DeliveryOptions {
  /** `all`: stamped and stored by every in-sync replica, exactly once while the process lives. `1`: unstamped, at least once. Default `all`. */
  acks?: 'all' | 1;
  /** Default `none`. `zstd` needs Node 22.15 or later. */
  compression?: 'none' | 'gzip' | 'zstd';
  /** A batch waits at most so many milliseconds for more records, 0 to 60,000. Default 50. */
  lingerMs?: number;
  /** Records in a batch, 1 to 100,000. Default 1,000. */
  batchMaxRecords?: number;
  /** Bytes in a batch, 1 KiB to 100 MiB; a larger record travels alone. Default 512 KiB. */
  batchMaxBytes?: number;
  /** Bytes of records kept in memory, those in flight included, 64 KiB to 16 GiB. A record or line that is larger is dropped. Default 64 MiB. */
  bufferMaxBytes?: number;
  /** What gives way when the buffer is full. Records that may already be at the broker never do. Default `drop-oldest`. */
  onOverflow?: 'drop-oldest' | 'drop-lowest-level';
  /** `close()` gives up after so many milliseconds, 0 to 600,000. Default 8,000: below Pino's own 10 s, and in its worker never above 9,000. */
  closeTimeoutMs?: number;
  /** A directory for records that cannot be delivered, as NDJSON; made where it is missing. Default none: they are counted and reported. */
  deadLetter?: string;
  /** Adds the headers `source-id` and `source-seq`, by which a reader can prove that nothing is missing, repeated or out of order. Default false. */
  sourceHeaders?: boolean;
}

/** Where a transport's records go, and what goes with them. */
export interface RoutingOptions {
  /** Kafka topic. Default `DIASPORA_TOPIC`. */
  topic?: string;
  /** One key for every record. */
  key?: string;
  /** Field of the record whose value is its key. */
  keyField?: string;
  /** Headers for every record. */
  headers?: Readonly<Record<string, string>>;
  /** Fields of the record that become headers of the same name. */
  headerFields?: readonly string[];
  /** One partition for every record: keeps the order of all. */
  partition?: number;
  /** A module whose default export gets the parsed record and answers a record, a string, or null to leave it out. */
  transform?: string;
}

/** Options of the Pino and Winston transports. */
export interface TransportOptions extends ConnectionOptions, DeliveryOptions, RoutingOptions {}

/** Options of `DiasporaLogger`. */
export interface ProducerOptions extends ConnectionOptions, DeliveryOptions {
  /** `send` rejects when its record is not acknowledged after so many milliseconds, 1 to 3,600,000, or at most a tenth of it, and 100 ms, later. Default 120,000. */
  deliveryTimeoutMs?: number;
}

/** Options of `DiasporaConsumer`. */
export interface ConsumerOptions extends ConnectionOptions {
  /** Topics to read, several as an array. Default `DIASPORA_TOPIC`. */
  topic?: string | readonly string[];
  /** Consumer group: its members share the partitions, and its offsets are kept by the brokers. */
  groupId: string;
  /** Where a group without offsets begins. Default `latest`. */
  autoOffsetReset?: 'earliest' | 'latest';
  /** Commits by itself what the iteration has gone past. Default true. */
  autoCommit?: boolean;
  /** Milliseconds between automatic commits, 100 to 3,600,000. Default 5,000. */
  autoCommitIntervalMs?: number;
}

/** How to sign in, with defaults and environment filled in. */
export type ResolvedAuth =
  | {
      readonly type: 'globus';
      readonly issuer: string;
      readonly refreshToken?: string;
      readonly refreshTokenFrom: 'option' | 'environment';
      readonly refreshTokenFile?: string;
      readonly oauthClientId: string;
      readonly oauthClientSecret?: string;
    }
  | {
      readonly type: 'scram';
      readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly type: 'mtls' }
  | { readonly type: 'token'; readonly module: string }
  | { readonly type: 'none' };

/** `ConnectionOptions`, checked and complete. */
export interface ResolvedConnection {
  readonly bootstrapBrokers: readonly { readonly host: string; readonly port: number }[];
  readonly clientId: string;
  readonly auth: ResolvedAuth;
  /** Null for plain text. */
  readonly tls: TlsConnectionOptions | null;
  readonly requestTimeoutMs: number;
  readonly retry: Required<RetryOptions>;
  /** `stderr`, `silent`, or the URL of a module. */
  readonly diagnostics: string;
}

/** `DeliveryOptions`, checked and complete. */
export interface ResolvedDelivery extends Required<Omit<DeliveryOptions, 'deadLetter'>> {
  readonly deadLetter: string | null;
}

/** `RoutingOptions`, checked and complete. */
export interface ResolvedRouting {
  readonly topic: string;
  readonly key: string | null;
  readonly keyField: string | null;
  readonly headers: readonly (readonly [string, string])[];
  readonly headerFields: readonly string[];
  readonly partition: number | null;
  /** URL of the module. */
  readonly transform: string | null;
}

/** `TransportOptions`, checked and complete. */
export interface ResolvedTransport extends ResolvedConnection, ResolvedDelivery, ResolvedRouting {}

/** `ProducerOptions`, checked and complete. */
export interface ResolvedProducer extends ResolvedConnection, ResolvedDelivery {
  readonly deliveryTimeoutMs: number;
}

/** `ConsumerOptions`, checked and complete. */
export interface ResolvedConsumer extends ResolvedConnection {
  readonly topics: readonly string[];
  readonly groupId: string;
  readonly autoOffsetReset: 'earliest' | 'latest';
  readonly autoCommit: boolean;
  readonly autoCommitIntervalMs: number;
}

/** Environment variables, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;
