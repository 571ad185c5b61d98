/** The options as users write them, and as the package uses them. */
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import type { AuthOptions, ResolvedAuth } from './auth-types.ts';

export type * from './auth-types.ts';

/** TLS to the brokers. Each of `ca`, `cert` and `key` is PEM text or a path; `pfx` is a path. */
export interface TlsOptions {
  /** Certificates to trust instead of Node's own list. Default `DIASPORA_CA_FILE`. */
  ca?: string;
  cert?: string;
  key?: string;
  pfx?: string;
  /** Of `key` or `pfx`. Default `DIASPORA_TLS_PASSPHRASE`. */
  passphrase?: string;
  /** Name to check the broker's certificate against. Default: the host that is connected to. */
  servername?: string;
  /** Default true. False takes a trusted certificate of any name: whoever has one of the same authority can pass for the broker. */
  checkHostname?: boolean;
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
  /** `host:port`, several by comma or as an array. Default `DIASPORA_BOOTSTRAP`; where `auth.type` is `diaspora`, the service key says it. */
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

/** `ConnectionOptions`, checked and complete. */
export interface ResolvedConnection {
  /** Empty only where `auth.type` is `diaspora`: then the key's `endpoint` says it. */
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
