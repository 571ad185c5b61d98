/** One try of a connection: a record is written, and this very record read back. */
import { randomUUID } from 'node:crypto';
import { readTopic } from '../consume/read-topic.ts';
import { within } from '../deadline.ts';
import { AuthenticationError, ConnectionError, DiasporaError } from '../errors.ts';
import type { ConnectionOptions } from '../options.ts';
import type { DiasporaLogger, RecordMetadata } from '../produce/logger.ts';
import { DiasporaClient } from '../services/diaspora-client.ts';
import { serviceOptions } from './service-options.ts';

/** What a try is doing. */
export type ReadyStep = 'topic' | 'sign-in' | 'write' | 'read';

/** How long one step may take, in milliseconds, on top of what its own requests may: a fresh one may fare better. */
const stepTimeoutMs = 30_000;

/** Topic of v1 that everybody may write to and read from. */
const v1Topic = '__connection_test';

/** Its counterpart in one's own namespace in v3: registered where it is missing. */
const v3Topic = 'connection-test';

/** The topic that records of the connection test go to, and which is there afterwards. Throws what the service client throws. */
export async function connectionTestTopic(
  connection: ConnectionOptions,
  signal: AbortSignal,
): Promise<string> {
  if (connection.auth?.type === 'diaspora' && connection.auth.apiVersion === 'v1') return v1Topic;
  const client = new DiasporaClient(serviceOptions(connection));
  try {
    return await within(registered(client), { timeoutMs: stepTimeoutMs, late: tooLate, signal });
  } finally {
    await client.close();
  }
}

async function registered(client: DiasporaClient): Promise<string> {
  await client.registerTopic(v3Topic);
  return `${await client.namespace()}.${v3Topic}`;
}

export interface ConnectionTest {
  readonly producer: DiasporaLogger;
  readonly connection: ConnectionOptions;
  readonly topic: string;
  /** Ends the try. */
  readonly signal: AbortSignal;
  readonly onStep: (step: ReadyStep) => void;
}

/** Throws what is in the way. */
export async function testConnection(test: ConnectionTest): Promise<void> {
  const { producer, topic, signal, onStep } = test;
  onStep('sign-in');
  // Before a record is sent: what this throws says why, and at once.
  await bounded(producer.partitionsFor(topic), signal);
  onStep('write');
  const value = `diaspora-logger connection test ${randomUUID()}`;
  const stored = await bounded(producer.send(topic, value), signal);
  onStep('read');
  await readBack(test, value, stored);
}

async function readBack(
  { connection, topic, signal }: ConnectionTest,
  value: string,
  { partition, offset }: RecordMetadata,
): Promise<void> {
  if (offset === null) throw notReadBack(topic);
  const end = new AbortController();
  const reading = readUntil(value, { connection, topic, partition, offset, signal: end.signal });
  try {
    if (!(await bounded(reading, signal))) throw notReadBack(topic);
  } catch (error) {
    // The same credentials have just signed in to write: what refuses the reader may pass.
    throw error instanceof AuthenticationError
      ? new DiasporaError(error.code, error.message, { cause: error })
      : error;
  } finally {
    end.abort();
    // Leaves its group and lets go of its connections: that is bounded by itself.
    await reading.catch(() => false);
  }
}

interface Place {
  readonly connection: ConnectionOptions;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly signal: AbortSignal;
}

async function readUntil(value: string, place: Place): Promise<boolean> {
  const { connection, topic, partition, offset, signal } = place;
  const from = { offsets: new Map([[partition, offset]]) };
  for await (const record of readTopic({ ...connection, topic }, { from, signal })) {
    if (record.partition === partition && record.offset === offset) {
      return record.value?.toString() === value;
    }
  }
  return false;
}

const bounded = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  within(promise, { timeoutMs: stepTimeoutMs, late: tooLate, signal });

const tooLate = (): ConnectionError =>
  new ConnectionError('REQUEST_TIMED_OUT', 'There is no answer.', true);

const notReadBack = (topic: string): DiasporaError =>
  new DiasporaError(
    'RECORD_NOT_READ',
    `The record that was written to topic ${topic} was not read back.`,
  );
