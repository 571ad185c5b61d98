/** Checks what a caller of `DiasporaLogger.send` hands over, and makes it a record. */
import type { DeliveryRecord, Header } from '../delivery/driver.ts';
import { DeliveryError } from '../errors.ts';
import { isTopic } from '../options.ts';

/** What goes with a record's value. */
export interface SendOptions {
  /** Records of one key go to one partition, in their order, as Java's default partitioner has it. Default none. */
  readonly key?: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array>>;
  /** Default: by the key, else in rotation. */
  readonly partition?: number;
  /** Event time in whole milliseconds since the epoch, at most a day ahead of this clock. Default now. */
  readonly timestamp?: number;
}

/** A time further ahead than this, in milliseconds, is most likely none: a time in microseconds always is. */
const maxAheadMs = 86_400_000;

/**
 * Throws a `DeliveryError` (`RECORD_INVALID`) where Kafka can have no such record, or its time cannot
 * be meant. `now` in milliseconds since the epoch.
 */
export function outgoingRecord(
  topic: string,
  value: unknown,
  options: SendOptions,
  now: number = Date.now(),
): DeliveryRecord & { readonly partition: number | null } {
  if (!isObject(options)) throw invalid(`The options must be an object, and are ${shown(options)}`);
  const { key = null, headers = {}, partition = null, timestamp = now } = options;
  if (typeof topic !== 'string') throw invalid(`topic must be a string, and is ${shown(topic)}`);
  if (!isTopic(topic)) throw invalid(`Kafka can have no topic named ${shown(topic)}`);
  if (partition !== null && !(isWhole(partition) && partition < 2 ** 31)) {
    throw invalid('partition must be a whole number from 0 to 2³¹ − 1');
  }
  if (!isWhole(timestamp) || timestamp > now + maxAheadMs) {
    throw invalid(
      `timestamp must be whole milliseconds since the epoch, at most a day ahead of now (${now}), and is ${shown(timestamp)}`,
    );
  }
  // A Map or a list of pairs would be taken for an object without fields, or with numbers for names.
  if (!isObject(headers) || Symbol.iterator in headers) {
    throw invalid(
      `headers must be an object of strings or bytes by name, and are ${shown(headers)}`,
    );
  }
  return {
    key: key === null ? null : contentOf(key),
    value: encoded(value),
    headers: Object.entries(headers).map(([name, content]): Header => [name, contentOf(content)]),
    timestamp,
    partition,
  };
}

function encoded(value: unknown): string | Buffer | null {
  if (value === null) return null;
  if (typeof value === 'string' || value instanceof Uint8Array) return contentOf(value);
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw invalid('The value cannot be written as JSON', cause);
  }
  if (json === undefined) {
    throw invalid(`A value of type ${typeof value} cannot be written as JSON`);
  }
  return json;
}

function contentOf(content: string | Uint8Array): string | Buffer {
  if (typeof content === 'string' || Buffer.isBuffer(content)) return content;
  if (content instanceof Uint8Array) {
    return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  }
  throw invalid('Keys and headers must be strings or bytes');
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** For messages, whatever a caller without types handed over: some values cannot be made a string. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || value === null) return String(value);
  return `of type ${Array.isArray(value) ? 'array' : typeof value}`;
}

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function invalid(message: string, cause?: unknown): DeliveryError {
  return new DeliveryError('RECORD_INVALID', `${message}.`, false, { cause });
}
