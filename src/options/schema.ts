/** What each option takes, and one sentence where it gets something else. */
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { ConfigurationError } from '../errors.ts';
import { authOptionNames, authSchema, authTypes } from './auth-schema.ts';
import { check, flag, integer, milliseconds, oneOf, text } from './checks.ts';
import { refusal, shown } from './refusal.ts';
import type {
  ConnectionOptions,
  ConsumerOptions,
  DeliveryOptions,
  ProducerOptions,
  RoutingOptions,
  TransportOptions,
} from './types.ts';

/** Kafka's rule (`org.apache.kafka.common.internals.Topic`): 1 to 249 of these characters, not `.` or `..`. */
export const isTopic = (value: unknown): value is string =>
  typeof value === 'string' && /^[\w.-]{1,249}$/.test(value) && !/^\.{1,2}$/.test(value);
export const topicTakes = 'a topic name: 1 to 249 letters, digits, dots, hyphens or underscores';

const tlsObjectSchema = z.strictObject({
  ca: text('PEM text or a path').exactOptional(),
  cert: text('PEM text or a path').exactOptional(),
  key: text('PEM text or a path').exactOptional(),
  pfx: text('a path').exactOptional(),
  passphrase: text('a passphrase').exactOptional(),
  servername: text('a host name').exactOptional(),
  checkHostname: flag.exactOptional(),
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
        maxMs: milliseconds(1, 600_000).exactOptional(),
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

const transportSchema = z.strictObject({
  ...connectionShape,
  ...deliveryShape,
  ...routingShape,
});
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

/** Options of a transport as given, checked one by one. Throws `ConfigurationError`. */
export function parseTransport(options: unknown): TransportOptions {
  return parse(transportSchema, options);
}

/** The same, taken apart by what they are about: for who hands them on to a producer or a consumer. */
export function parseTransportParts(options: unknown): {
  connection: ConnectionOptions;
  delivery: DeliveryOptions;
  routing: RoutingOptions;
} {
  const all = parse(transportSchema, options);
  return {
    connection: z.object(connectionShape).parse(all),
    delivery: z.object(deliveryShape).parse(all),
    routing: z.object(routingShape).parse(all),
  };
}

/** The same for a producer. */
export function parseProducer(options: unknown): ProducerOptions {
  return parse(producerSchema, options);
}

/** The same for a consumer. */
export function parseConsumer(options: unknown): ConsumerOptions {
  return parse(consumerSchema, options);
}

function parse<Schema extends z.ZodObject>(schema: Schema, options: unknown): z.infer<Schema> {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    const got = typeof options === 'string' ? 'a string' : shown(options);
    throw new ConfigurationError(`Options must be an object, got ${got}.`);
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
  if (path === 'auth.type') throw refusal('auth.type', authTypes, value);
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
    return authOptionNames(type);
  }
  return Object.keys(schema.shape);
}

/** `exactOptionalPropertyTypes` at run time: an option set to undefined is not set. None lies in more than one object. */
function withoutUndefined(value: object, within = true): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => [
        name,
        within &&
        typeof item === 'object' &&
        item !== null &&
        Object.getPrototypeOf(item) === Object.prototype
          ? withoutUndefined(item, false)
          : item,
      ]),
  );
}
