/** The options of transports, producer and consumer: what each means, its default, and what is refused. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { pathToFileURL } from 'node:url';
import * as zlib from 'node:zlib';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { ConfigurationError } from './errors.ts';

/** How to sign in to the brokers. */
export type AuthOptions =
  | {
      /** A Globus refresh token buys access tokens, which are the OAUTHBEARER credentials. The default. */
      type: 'globus';
      /** Base URL of Globus Auth. Default `DIASPORA_ISSUER`, else `https://auth.globus.org`. Plain HTTP on loopback only. */
      issuer?: string;
      /** Default `DIASPORA_REFRESH`, else the file, else the token store. */
      refreshToken?: string;
      /** A file that holds the refresh token, read again at each refresh. Default `DIASPORA_REFRESH_FILE`. */
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
  /** Bytes of records kept in memory, those in flight included, 64 KiB to 16 GiB. Default 64 MiB. */
  bufferMaxBytes?: number;
  /** What gives way when the buffer is full. Records that may already be at the broker never do. Default `drop-oldest`. */
  onOverflow?: 'drop-oldest' | 'drop-lowest-level';
  /** `close()` gives up after so many milliseconds, 0 to 600,000. Default 8,000: below Pino's own 10 s. */
  closeTimeoutMs?: number;
  /** A directory for records that cannot be delivered, as NDJSON. Default none: they are counted and reported. */
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
  /** `send` rejects when its record is not acknowledged after so many milliseconds, 1 to 3,600,000. Default 120,000. */
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

/** The native app that Globus Auth knows the event service's tools by. */
const nativeAppClientId = 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe';

/** Each check answers with what the option takes: the message is `Option "x" takes <that>, got <value>.` */
const check = <T>(takes: string, test: (value: unknown) => boolean): z.ZodCustom<T> =>
  z.custom<T>(test, { error: takes });
const text = (takes: string): z.ZodCustom<string> =>
  check<string>(takes, (value) => typeof value === 'string' && value !== '');
const flag: z.ZodCustom<boolean> = check<boolean>(
  'true or false',
  (value) => typeof value === 'boolean',
);
const integer = (min: number, max: number, unit: string): z.ZodCustom<number> =>
  check<number>(
    `a whole number${unit} from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  );
const milliseconds = (min: number, max: number): z.ZodCustom<number> =>
  integer(min, max, ' of milliseconds');
const oneOf = <T extends string | number>(...values: T[]): z.ZodCustom<T> =>
  check<T>(values.map((value) => JSON.stringify(value)).join(' or '), (value) =>
    values.some((known) => known === value),
  );
/** Kafka's rule (`org.apache.kafka.common.internals.Topic`): 1 to 249 of these characters, not `.` or `..`. */
export const isTopic = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w.-]{1,249}$/.test(value) && !/^\.{1,2}$/.test(value);
const topicTakes = 'a topic name: 1 to 249 letters, digits, dots, hyphens or underscores';

const authSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('globus'),
      issuer: text('a URL').exactOptional(),
      refreshToken: text('a refresh token').exactOptional(),
      refreshTokenFile: text('a path').exactOptional(),
      oauthClientId: text('a client id').exactOptional(),
      oauthClientSecret: text('a client secret').exactOptional(),
    }),
    z.strictObject({
      type: z.literal('scram'),
      mechanism: oneOf('SCRAM-SHA-256', 'SCRAM-SHA-512').exactOptional(),
      username: text('a user name'),
      password: text('a password'),
    }),
    z.strictObject({ type: z.literal('mtls') }),
    z.strictObject({ type: z.literal('token'), module: text('a module path') }),
    z.strictObject({ type: z.literal('none') }),
  ],
  { error: '{ type: "globus" }, or another type: "scram", "mtls", "token", "none"' },
);

const tlsObjectSchema = z.strictObject({
  ca: text('PEM text or a path').exactOptional(),
  cert: text('PEM text or a path').exactOptional(),
  key: text('PEM text or a path').exactOptional(),
  pfx: text('a path').exactOptional(),
  passphrase: text('a passphrase').exactOptional(),
  servername: text('a host name').exactOptional(),
  rejectUnauthorized: flag.exactOptional(),
});

const connectionShape = {
  bootstrapBrokers: check<string | string[]>(
    '"host:port", several by comma or as an array',
    (value) =>
      typeof value === 'string' ||
      (Array.isArray(value) && value.every((item) => typeof item === 'string')),
  ).exactOptional(),
  clientId: text('a name').exactOptional(),
  auth: authSchema.exactOptional(),
  tls: z.union([flag, tlsObjectSchema]).exactOptional(),
  allowInsecureToken: flag.exactOptional(),
  requestTimeoutMs: milliseconds(6_000, 600_000).exactOptional(),
  retry: z
    .strictObject(
      {
        minMs: milliseconds(1, 600_000).exactOptional(),
        maxMs: milliseconds(1, 600_000).optional(),
      },
      { error: 'an object with minMs and maxMs' },
    )
    .exactOptional(),
  diagnostics: text('"stderr", "silent" or a module path').exactOptional(),
};

const deliveryShape = {
  acks: oneOf<'all' | 1>('all', 1).exactOptional(),
  compression: oneOf('none', 'gzip', 'zstd').exactOptional(),
  lingerMs: milliseconds(0, 60_000).exactOptional(),
  batchMaxRecords: integer(1, 100_000, '').exactOptional(),
  batchMaxBytes: integer(1024, 100 * 2 ** 20, ' of bytes').exactOptional(),
  bufferMaxBytes: integer(64 * 1024, 16 * 2 ** 30, ' of bytes').exactOptional(),
  onOverflow: oneOf('drop-oldest', 'drop-lowest-level').exactOptional(),
  closeTimeoutMs: milliseconds(0, 600_000).exactOptional(),
  deadLetter: text('the path of a directory').exactOptional(),
  sourceHeaders: flag.exactOptional(),
};

const routingShape = {
  topic: check<string>(topicTakes, isTopic).exactOptional(),
  key: text('a string').exactOptional(),
  keyField: text('the name of a field').exactOptional(),
  headers: z
    .record(z.string(), text('a string'), { error: 'an object of strings' })
    .exactOptional(),
  headerFields: check<string[]>(
    'an array of field names',
    (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  ).exactOptional(),
  partition: integer(0, 2 ** 31 - 1, '').exactOptional(),
  transform: text('a module path').exactOptional(),
};

const transportSchema = z.strictObject({ ...connectionShape, ...deliveryShape, ...routingShape });
const producerSchema = z.strictObject({
  ...connectionShape,
  ...deliveryShape,
  deliveryTimeoutMs: milliseconds(1, 3_600_000).exactOptional(),
});
const consumerSchema = z.strictObject({
  ...connectionShape,
  topic: check<string | string[]>(
    `${topicTakes}, or an array of them`,
    (value) => isTopic(value) || (Array.isArray(value) && value.length > 0 && value.every(isTopic)),
  ).exactOptional(),
  groupId: text('the name of a consumer group'),
  autoOffsetReset: oneOf('earliest', 'latest').exactOptional(),
  autoCommit: flag.exactOptional(),
  autoCommitIntervalMs: milliseconds(100, 3_600_000).exactOptional(),
});

/** Environment variables, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Checks the options of a transport and fills in defaults. Throws `ConfigurationError`. */
export function resolveTransport(
  options: unknown,
  env: Environment = process.env,
): ResolvedTransport {
  const given = parse(transportSchema, options);
  const topic = given.topic ?? nonEmpty(env['DIASPORA_TOPIC']);
  if (topic === undefined) {
    throw new ConfigurationError(
      'No topic: set the option "topic" or the environment variable DIASPORA_TOPIC.',
      'topic',
    );
  }
  if (!isTopic(topic)) throw refusal('DIASPORA_TOPIC', topicTakes, topic);
  if (given.key !== undefined && given.keyField !== undefined) {
    throw new ConfigurationError(
      'Options "key" and "keyField" exclude each other: leave one out.',
      'keyField',
    );
  }
  return {
    ...resolveConnection(given, env),
    ...resolveDelivery(given),
    topic,
    key: given.key ?? null,
    keyField: given.keyField ?? null,
    headers: Object.entries(given.headers ?? {}),
    headerFields: given.headerFields ?? [],
    partition: given.partition ?? null,
    transform: given.transform === undefined ? null : moduleUrl('transform', given.transform),
  };
}

/** Checks the options of a producer and fills in defaults. Throws `ConfigurationError`. */
export function resolveProducer(
  options: unknown,
  env: Environment = process.env,
): ResolvedProducer {
  const given = parse(producerSchema, options);
  return {
    ...resolveConnection(given, env),
    ...resolveDelivery(given),
    deliveryTimeoutMs: given.deliveryTimeoutMs ?? 120_000,
  };
}

/** Checks the options of a consumer and fills in defaults. Throws `ConfigurationError`. */
export function resolveConsumer(
  options: unknown,
  env: Environment = process.env,
): ResolvedConsumer {
  const given = parse(consumerSchema, options);
  const topic = given.topic ?? nonEmpty(env['DIASPORA_TOPIC']);
  if (topic === undefined) {
    throw new ConfigurationError(
      'No topic: set the option "topic" or the environment variable DIASPORA_TOPIC.',
      'topic',
    );
  }
  return {
    ...resolveConnection(given, env),
    topics: typeof topic === 'string' ? [topic] : topic,
    groupId: given.groupId,
    autoOffsetReset: given.autoOffsetReset ?? 'latest',
    autoCommit: given.autoCommit ?? true,
    autoCommitIntervalMs: given.autoCommitIntervalMs ?? 5_000,
  };
}

type GivenConnection = z.infer<z.ZodObject<typeof connectionShape>>;
type GivenDelivery = z.infer<z.ZodObject<typeof deliveryShape>>;

function resolveConnection(given: GivenConnection, env: Environment): ResolvedConnection {
  const bootstrapBrokers = brokers(given.bootstrapBrokers, env);
  const auth = resolveAuth(given.auth ?? { type: 'globus' }, env);
  const tls = resolveTls(given.tls ?? true, env);
  if (auth.type === 'mtls' && !(tls?.pfx || (tls?.cert && tls.key))) {
    throw new ConfigurationError(
      'auth.type "mtls" needs a client certificate: set tls.cert and tls.key, or tls.pfx.',
      'tls',
    );
  }
  const insecure = bootstrapBrokers.find(({ host }) => !isLoopback(host));
  if (
    tls === null &&
    (auth.type === 'globus' || auth.type === 'token') &&
    insecure &&
    !given.allowInsecureToken
  ) {
    throw new ConfigurationError(
      `tls: false would send the access token in plain text to ${insecure.host}: leave tls on, or set allowInsecureToken: true.`,
      'tls',
    );
  }
  const retry = { minMs: given.retry?.minMs ?? 100, maxMs: given.retry?.maxMs ?? 10_000 };
  if (retry.minMs > retry.maxMs) {
    throw new ConfigurationError(
      `Option "retry.minMs" (${retry.minMs}) is above "retry.maxMs" (${retry.maxMs}).`,
      'retry.minMs',
    );
  }
  const diagnostics = given.diagnostics ?? 'stderr';
  return {
    bootstrapBrokers,
    clientId: given.clientId ?? 'diaspora-logger',
    auth,
    tls,
    requestTimeoutMs: given.requestTimeoutMs ?? 30_000,
    retry,
    diagnostics:
      diagnostics === 'stderr' || diagnostics === 'silent'
        ? diagnostics
        : moduleUrl('diagnostics', diagnostics),
  };
}

function resolveDelivery(given: GivenDelivery): ResolvedDelivery {
  if (given.compression === 'zstd' && !('zstdCompressSync' in zlib)) {
    throw new ConfigurationError(
      `Option "compression" takes "zstd" from Node 22.15 on, and this is Node ${process.versions.node}: use "gzip" or a newer Node.`,
      'compression',
    );
  }
  const batchMaxBytes = given.batchMaxBytes ?? 512 * 1024;
  const bufferMaxBytes = given.bufferMaxBytes ?? 64 * 2 ** 20;
  if (bufferMaxBytes < 2 * batchMaxBytes) {
    throw new ConfigurationError(
      `Option "bufferMaxBytes" (${bufferMaxBytes}) must hold at least two batches of "batchMaxBytes" (${batchMaxBytes}).`,
      'bufferMaxBytes',
    );
  }
  return {
    acks: given.acks ?? 'all',
    compression: given.compression ?? 'none',
    lingerMs: given.lingerMs ?? 50,
    batchMaxRecords: given.batchMaxRecords ?? 1_000,
    batchMaxBytes,
    bufferMaxBytes,
    onOverflow: given.onOverflow ?? 'drop-oldest',
    closeTimeoutMs: given.closeTimeoutMs ?? 8_000,
    deadLetter: given.deadLetter ?? null,
    sourceHeaders: given.sourceHeaders ?? false,
  };
}

function resolveAuth(given: AuthOptions, env: Environment): ResolvedAuth {
  switch (given.type) {
    case 'globus': {
      const issuer = (
        given.issuer ??
        nonEmpty(env['DIASPORA_ISSUER']) ??
        'https://auth.globus.org'
      ).replace(/\/+$/, '');
      requireSecureIssuer(issuer);
      const refreshToken = given.refreshToken ?? nonEmpty(env['DIASPORA_REFRESH']);
      const refreshTokenFile = given.refreshTokenFile ?? nonEmpty(env['DIASPORA_REFRESH_FILE']);
      const oauthClientSecret =
        given.oauthClientSecret ?? nonEmpty(env['DIASPORA_SDK_CLIENT_SECRET']);
      return {
        type: 'globus',
        issuer,
        ...(refreshToken !== undefined && { refreshToken }),
        refreshTokenFrom: given.refreshToken === undefined ? 'environment' : 'option',
        ...(refreshTokenFile !== undefined && { refreshTokenFile }),
        oauthClientId:
          given.oauthClientId ?? nonEmpty(env['DIASPORA_SDK_CLIENT_ID']) ?? nativeAppClientId,
        ...(oauthClientSecret !== undefined && { oauthClientSecret }),
      };
    }
    case 'scram':
      return {
        type: 'scram',
        mechanism: given.mechanism ?? 'SCRAM-SHA-512',
        username: given.username,
        password: given.password,
      };
    case 'token':
      return { type: 'token', module: moduleUrl('auth.module', given.module) };
    default:
      return given;
  }
}

/** Throws `ConfigurationError` for an issuer over plain HTTP that is not on this machine. */
function requireSecureIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  if (url?.protocol === 'https:') return;
  if (url?.protocol === 'http:' && isLoopback(url.hostname)) return;
  throw refusal('auth.issuer', 'an https URL (plain http on loopback only)', issuer);
}

/** Whether a host name can only mean this machine (RFC 5735, RFC 6761). */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

function resolveTls(given: boolean | TlsOptions, env: Environment): TlsConnectionOptions | null {
  if (given === false) return null;
  const options: TlsOptions = given === true ? {} : given;
  const ca = options.ca ?? nonEmpty(env['DIASPORA_CA_FILE']);
  return {
    ...(ca !== undefined && { ca: pem(options.ca ? 'tls.ca' : 'DIASPORA_CA_FILE', ca) }),
    ...(options.cert !== undefined && { cert: pem('tls.cert', options.cert) }),
    ...(options.key !== undefined && { key: pem('tls.key', options.key) }),
    ...(options.pfx !== undefined && { pfx: read('tls.pfx', options.pfx) }),
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    ...(options.servername !== undefined && { servername: options.servername }),
    ...(options.rejectUnauthorized !== undefined && {
      rejectUnauthorized: options.rejectUnauthorized,
    }),
  };
}

function pem(option: string, value: string): string {
  return value.includes('-----BEGIN ') ? value : read(option, value).toString('latin1');
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new ConfigurationError(`${option}: cannot read the file ${path} (${reason}).`, option);
  }
}

function brokers(
  given: string | readonly string[] | undefined,
  env: Environment,
): { host: string; port: number }[] {
  const source = given ?? nonEmpty(env['DIASPORA_BOOTSTRAP']);
  const entries = (typeof source === 'string' ? source.split(',') : (source ?? []))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length === 0) {
    throw new ConfigurationError(
      'No broker: set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP to host:port.',
      'bootstrapBrokers',
    );
  }
  return entries.map((entry) => {
    const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(entry);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host === undefined || port < 1 || port > 65_535) {
      throw refusal(
        given === undefined ? 'DIASPORA_BOOTSTRAP' : 'bootstrapBrokers',
        '"host:port", several by comma or as an array',
        entry,
      );
    }
    return { host, port };
  });
}

/** URL of a module named by path, file URL or package name, as seen from the working directory. */
function moduleUrl(option: string, specifier: string): string {
  if (specifier.startsWith('file:')) return specifier;
  const isPath = specifier.startsWith('.') || resolve(specifier) === specifier;
  try {
    const require = createRequire(join(process.cwd(), 'noop.js'));
    return pathToFileURL(require.resolve(isPath ? resolve(specifier) : specifier)).href;
  } catch {
    throw new ConfigurationError(
      `Option "${option}": no module ${JSON.stringify(specifier)} is found from ${process.cwd()}.`,
      option,
    );
  }
}

const nonEmpty = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

function parse<Schema extends z.ZodObject>(schema: Schema, options: unknown): z.infer<Schema> {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw new ConfigurationError(`Options must be an object, got ${shown(options)}.`);
  }
  const result = schema.safeParse(withoutUndefined(options ?? {}));
  if (result.success) return result.data;
  const { issues } = result.error;
  // A misspelt name explains the missing one that it stands for.
  const issue = deepest(issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]);
  const path = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const known = knownNames(schema, issue.path.map(String), options);
    const prefix = path === '' ? '' : `${path}.`;
    throw new ConfigurationError(
      `Unknown option "${prefix}${name}". ${suggestion(name, known, prefix)}`,
      prefix + name,
    );
  }
  const value = issue?.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    options,
  );
  // The discriminator's issue points at auth.type; what the option takes is said of auth.
  if (path === 'auth.type')
    throw refusal('auth.type', '"globus", "scram", "mtls", "token" or "none"', value);
  throw refusal(path, issue?.message ?? 'another value', value);
}

/** The nearest known name, or all of them where none is near. */
function suggestion(name: string, known: readonly string[], prefix: string): string {
  const [nearest] = known
    .map((item) => ({ item, far: distance(name.toLowerCase(), item.toLowerCase()) }))
    .sort((one, other) => one.far - other.far);
  return nearest && nearest.far <= Math.max(2, name.length / 3)
    ? `Did you mean "${prefix}${nearest.item}"?`
    : `Known here: ${known.join(', ')}.`;
}

/** In a union (`tls`), the issue of the branch that the value was meant for. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue;
  const inner = issue.errors
    .flat()
    .find((candidate) => candidate.path.length > 0 || candidate.code === 'unrecognized_keys');
  if (inner) return { ...inner, path: [...issue.path, ...inner.path] };
  return {
    ...issue,
    message: issue.path[0] === 'tls' ? 'true, false or an object' : issue.message,
  };
}

function knownNames(schema: z.ZodObject, path: readonly string[], options: unknown): string[] {
  if (path[0] === 'tls') return Object.keys(tlsObjectSchema.shape);
  if (path[0] === 'retry') return ['minMs', 'maxMs'];
  if (path[0] === 'auth') {
    const auth = typeof options === 'object' && options && 'auth' in options ? options.auth : null;
    const type = typeof auth === 'object' && auth && 'type' in auth ? auth.type : null;
    const branch = authSchema.options.find((option) => option.shape.type.value === type);
    return Object.keys(branch?.shape ?? {});
  }
  return Object.keys(schema.shape);
}

/** `exactOptionalPropertyTypes` at run time: an option set to undefined is not set. */
function withoutUndefined(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => [
        name,
        typeof item === 'object' &&
        item !== null &&
        Object.getPrototypeOf(item) === Object.prototype
          ? withoutUndefined(item)
          : item,
      ]),
  );
}

function refusal(option: string, takes: string, got: unknown): ConfigurationError {
  const secret = /refreshToken$|secret|password|passphrase|\.key$|\.cert$/i.test(option);
  const seen =
    got === undefined ? 'nothing' : secret ? `a value of type ${typeof got}` : shown(got);
  const subject = /^[A-Z_]+$/.test(option)
    ? `Environment variable ${option}`
    : `Option "${option}"`;
  return new ConfigurationError(`${subject} takes ${takes}, got ${seen}.`, option);
}

function shown(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
