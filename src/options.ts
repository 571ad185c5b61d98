/** From what users write to options that are checked and complete: the one place where options are refused. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import * as zlib from 'node:zlib';
import { ConfigurationError, systemErrorCode } from './errors.ts';
import { resolveConnection } from './options/connection.ts';
import { nonEmpty } from './options/environment.ts';
import { moduleUrl } from './options/module-url.ts';
import { refusal } from './options/refusal.ts';
import {
  isTopic,
  parseConsumer,
  parseProducer,
  parseTransport,
  topicTakes,
} from './options/schema.ts';
import type {
  DeliveryOptions,
  Environment,
  ResolvedConsumer,
  ResolvedDelivery,
  ResolvedProducer,
  ResolvedTransport,
} from './options/types.ts';

export { defaultIssuer, nativeAppClientId, resolveDiaspora } from './options/auth.ts';
export { parseBrokers } from './options/brokers.ts';
export { moduleUrl } from './options/module-url.ts';
export { isTopic, parseTransportParts } from './options/schema.ts';
export { requireSecureIssuer, requireSecureUrl } from './options/secure-url.ts';
export type * from './options/types.ts';

/** Checks the options of a transport and fills in defaults. Throws `ConfigurationError`. */
export function resolveTransport(
  options: unknown,
  env: Environment = process.env,
): ResolvedTransport {
  const given = parseTransport(options);
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
  const given = parseProducer(options);
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
  const given = parseConsumer(options);
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

function resolveDelivery(given: DeliveryOptions): ResolvedDelivery {
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
    deadLetter: given.deadLetter === undefined ? null : writableDirectory(given.deadLetter),
    sourceHeaders: given.sourceHeaders ?? false,
  };
}

/** Makes it where it is missing: whoever names it learns at start, and not at the first dead letter, that it will not do. */
function writableDirectory(given: string): string {
  const directory = resolve(given);
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no code';
    throw new ConfigurationError(
      `Option "deadLetter": cannot write to the directory ${directory} (${code}). Make it writable, or name another.`,
      'deadLetter',
    );
  }
  return directory;
}
