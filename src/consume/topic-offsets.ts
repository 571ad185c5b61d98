/** Asks the brokers at which offsets a reading of a topic begins and ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { waitedFor } from '../auth/waited-for.ts';
import type { BrokerFault } from '../broker-faults.ts';
import { within } from '../deadline.ts';
import { AuthenticationError, BrokerError, ConnectionError, DiasporaError } from '../errors.ts';
import type { ResolvedConsumer } from '../options.ts';
import type { Clients } from './clients.ts';
import { type Attempt, failureMessage, failureOf } from './failure.ts';

/** An end of the topic, a time (milliseconds since the epoch), or an offset a partition: one that is not named is not read. */
export type Place =
  | 'earliest'
  | 'latest'
  | { readonly time: number }
  | { readonly offsets: ReadonlyMap<number, bigint> };

/** What is read of one partition. */
export interface PartitionRange {
  readonly partition: number;
  /** Offset at which the log begins, as of now: what was before is deleted. */
  readonly low: bigint;
  /** Offset of the first record that may be read. */
  readonly start: bigint;
  /** Offset behind the last one, as of now. */
  readonly end: bigint;
}

export interface OffsetQuestion {
  readonly clients: Pick<Clients, 'ready' | 'remedy' | 'secrets'>;
  readonly options: Pick<ResolvedConsumer, 'requestTimeoutMs' | 'tls'>;
  readonly topic: string;
  readonly from: Place;
  readonly to: Exclude<Place, 'earliest'>;
  readonly signal?: AbortSignal;
}

/** A start behind the end is moved to it. Throws `ConnectionError`, `AuthenticationError` and `BrokerError`. */
export async function findRanges(question: OffsetQuestion): Promise<PartitionRange[]> {
  const { clients, options, topic, signal } = question;
  const timeoutMs = 2 * options.requestTimeoutMs;
  const late = (): Error =>
    new ConnectionError(
      'REQUEST_TIMED_OUT',
      `The brokers did not tell where topic ${topic} begins and ends within ${timeoutMs / 1_000} s. Check the network, and that the brokers run.`,
      false,
    );
  const over = new AbortController();
  try {
    const found = ask(question, over.signal);
    return await waitedFor(within(found, { timeoutMs, late, ...(signal && { signal }) }));
  } catch (error) {
    if (signal?.aborted) throw error;
    const attempt = { groupId: '', topics: [topic], encrypted: options.tls !== null };
    const { remedy, secrets } = clients;
    throw readErrorOf(error, { ...attempt, answered: false, remedy, secrets });
  } finally {
    over.abort();
  }
}

/** Its connections end with the signal: kafkajs may never answer. */
async function ask(
  { clients, topic, from, to }: OffsetQuestion,
  over: AbortSignal,
): Promise<PartitionRange[]> {
  const newClient = await clients.ready();
  if (over.aborted) return [];
  const client = newClient();
  over.addEventListener('abort', () => client.disconnect(), { once: true });
  const admin = client.kafka.admin();
  await admin.connect();
  const ends = await onceLed(() => admin.fetchTopicOffsets(topic), over);
  const startAt = await offsetsAt(admin, topic, from);
  const endAt = await offsetsAt(admin, topic, to);
  return ends
    .flatMap(({ partition, low, high }): PartitionRange[] => {
      const [first, last] = [BigInt(low), BigInt(high)];
      const start = from === 'earliest' ? first : from === 'latest' ? last : startAt.get(partition);
      if (start === undefined) return [];
      const end = to === 'latest' ? last : (endAt.get(partition) ?? last);
      return [{ partition, low: first, start: start < end ? start : end, end }];
    })
    .toSorted((a, b) => a.partition - b.partition);
}

/** A topic that was just made, or whose leader has moved: brokers learn of it one after the other, and kafkajs asks once. */
const leaderElsewhere: ReadonlySet<unknown> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
]);

/** Milliseconds between two looks for a leader. */
const leaderPollMs = 100;

async function onceLed<T>(question: () => Promise<T>, over: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch (error) {
      if (!leaderElsewhere.has(Object(error).type)) throw error;
      await sleep(leaderPollMs, undefined, { signal: over });
    }
  }
}

/** Of the ends themselves nothing is asked. A time behind the last record is the log's end. */
async function offsetsAt(
  admin: Admin,
  topic: string,
  place: Place,
): Promise<ReadonlyMap<number, bigint>> {
  if (typeof place === 'string') return new Map();
  if ('offsets' in place) return place.offsets;
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, place.time);
  return new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]));
}

/** What kafkajs threw, as one of the package's errors. */
function readErrorOf(error: unknown, attempt: Attempt): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof DiasporaError) return at;
  }
  const fault = failureOf(error, attempt);
  if (fault === null || fault.code === 'CONSUMER_RESTARTED') {
    const [topic] = attempt.topics;
    const message = `Topic ${topic} cannot be read (${failureMessage(error)}).`;
    return new ConnectionError('BROKER_ERROR', message, false);
  }
  return faultError(fault);
}

/** A fault that a reader met, to be thrown. `denied` is what it may not read, where that is the fault. */
export function faultError(
  { code, message }: BrokerFault,
  denied: 'TOPIC' | 'GROUP' = 'TOPIC',
): DiasporaError {
  switch (code) {
    case 'SIGN_IN_REFUSED':
      return new AuthenticationError(code, message, false);
    case 'TOPIC_UNKNOWN':
      return new BrokerError('UNKNOWN_TOPIC_OR_PARTITION', 3, message, false);
    case 'READ_DENIED':
      return denied === 'TOPIC'
        ? new BrokerError('TOPIC_AUTHORIZATION_FAILED', 29, message, false)
        : new BrokerError('GROUP_AUTHORIZATION_FAILED', 30, message, false);
    default:
      return new ConnectionError(code, message, false);
  }
}
