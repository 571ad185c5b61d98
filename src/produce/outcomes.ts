/**
 * What a broker's answer, or its absence, means for a batch.
 *
 * The codes that Produce can answer with are listed in Kafka's `ProduceResponse`; the kinds in
 * `delivery/driver.ts` say what delivery does about each. Three thoughts decide where a code belongs:
 *
 * 1. Was it stored? With acks=all the leader appends first and waits for its followers then. What goes
 *    wrong during the wait (`DelayedProduce`: 3, 6, 7, 20, 56) is answered beside the offset that the
 *    append gave. So any error with an offset is `unknown`, and one without was refused before the append.
 * 2. Are the records at fault? Only `invalid` and `tooLarge` may cost records (by halving, each that is
 *    at fault alone goes to dead letters): so only codes that judge the records themselves are these.
 * 3. All other codes, those that Kafka has yet to invent included, speak of brokers, rights or
 *    settings, which people mend: the records are kept and tried again, and a diagnostic names the code.
 */

import type { Failure, Outcome } from '../delivery/driver.ts';
import type { DiagnosticCode } from '../diagnostics.ts';
import { AuthenticationError, BrokerError, ConnectionError } from '../errors.ts';
import { brokerErrorInfo } from '../wire/error-table.ts';
import type { ProducePartitionReply } from '../wire/requests/produce.ts';

/** What messages name. */
export interface Target {
  readonly topic: string;
  /** Who is signed in, where that is known. */
  readonly principal: string | null;
}

type FailureKind = Exclude<Outcome['kind'], 'acknowledged'>;

interface Meaning {
  readonly kind: FailureKind;
  readonly code: DiagnosticCode;
  /** What happened and what to do; after it come the broker's own name for it and words. */
  readonly says?: (target: Target, partition?: number) => string;
  readonly staleTopology?: true;
}

/** Acknowledged with an error code: the batch was stored before, under this very stamp. */
const duplicateSequenceNumber = 46;

const tooLarge: Meaning = {
  kind: 'tooLarge',
  code: 'RECORD_TOO_LARGE',
  says: ({ topic }) => `The batch is larger than topic ${topic} takes (max.message.bytes)`,
};
const fenced: Meaning = {
  kind: 'fenced',
  code: 'PRODUCER_FENCED',
  says: ({ topic }) =>
    `Another process goes on in this producer's place in topic ${topic}, under a newer epoch`,
};
const sequenceLost: Meaning = { kind: 'sequenceLost', code: 'BROKER_ERROR' };

/** Codes that mean something else than "try again". Everything that is not here is `retriable`. */
const meanings: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  // UNKNOWN_SERVER_ERROR: anything may have happened, before the append or after.
  [-1, { kind: 'unknown', code: 'BROKER_ERROR' }],
  // UNKNOWN_TOPIC_OR_PARTITION: also during a deletion, and on a broker that has not heard of the topic yet.
  [3, { kind: 'retriable', code: 'TOPIC_UNKNOWN', says: unknownTopic, staleTopology: true }],
  // REQUEST_TIMED_OUT: appended by the leader, and too few followers in time.
  [7, { kind: 'unknown', code: 'BROKER_ERROR' }],
  // MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE (larger than a whole segment)
  [10, tooLarge],
  [18, tooLarge],
  // INVALID_TOPIC_EXCEPTION: a topic that only Kafka itself writes to.
  [
    17,
    {
      kind: 'refused',
      code: 'TOPIC_WRITE_DENIED',
      says: ({ topic }) => `Topic ${topic} is Kafka's own: choose another one`,
    },
  ],
  // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  [20, { kind: 'unknown', code: 'BROKER_ERROR' }],
  // TOPIC_AUTHORIZATION_FAILED
  [29, { kind: 'refused', code: 'TOPIC_WRITE_DENIED', says: writeDenied }],
  // CLUSTER_AUTHORIZATION_FAILED: stamped batches, without the right to them.
  [
    31,
    {
      kind: 'refused',
      code: 'IDEMPOTENCE_DENIED',
      says: (target) =>
        `Not allowed to write stamped batches to topic ${target.topic}${as(target)}: it takes IDEMPOTENT_WRITE on the cluster (on AWS kafka-cluster:WriteDataIdempotently), or acks: 1`,
    },
  ],
  // INVALID_TIMESTAMP
  [
    32,
    {
      kind: 'clock',
      code: 'CLOCK_SKEW',
      says: ({ topic }) =>
        `A record's time is further off than topic ${topic} takes: check this clock`,
    },
  ],
  // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID (the latter by brokers before 2.5)
  [45, sequenceLost],
  [59, sequenceLost],
  // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED
  [47, fenced],
  [90, fenced],
  // SASL_AUTHENTICATION_FAILED: a session that ended while the request waited.
  [58, { kind: 'authentication', code: 'TOKEN_REFUSED_BY_BROKER' }],
  // UNSUPPORTED_COMPRESSION_TYPE: the driver leaves compression out from then on.
  [
    76,
    {
      kind: 'retriable',
      code: 'BROKER_ERROR',
      says: ({ topic }) =>
        `The broker does not take this compression for topic ${topic}: going on without`,
    },
  ],
  // INVALID_RECORD: by the topic's own rule, such as a key where the topic is compacted.
  [
    87,
    {
      kind: 'invalid',
      code: 'RECORD_INVALID',
      says: ({ topic }) => `A record is not what topic ${topic} takes`,
    },
  ],
  // THROTTLING_QUOTA_EXCEEDED
  [89, { kind: 'retriable', code: 'BROKER_THROTTLED' }],
  // UNKNOWN_TOPIC_ID: the topic that was written to is deleted; one of its name may have been made since.
  [100, { kind: 'retriable', code: 'TOPIC_UNKNOWN', says: unknownTopic, staleTopology: true }],
]);

/** What one partition's answer means. `maxTimestamp` is the latest time among the batch's records, in milliseconds. */
export function outcomeOfAnswer(
  answer: ProducePartitionReply,
  target: Target,
  maxTimestamp: number,
): Outcome {
  const { errorCode, baseOffset, logAppendTime } = answer;
  if (errorCode === 0 || errorCode === duplicateSequenceNumber) {
    const time = Number(logAppendTime);
    // A repeat is answered with the latest time of the batch that is stored, whoever set it.
    const records = time < 0 || time === maxTimestamp;
    return {
      kind: 'acknowledged',
      baseOffset: baseOffset < 0n ? null : baseOffset,
      logAppendTime: records ? null : time,
    };
  }
  const meaning = meaningOf(errorCode);
  // The first of the thoughts above.
  const kind = baseOffset >= 0n && meaning.kind === 'retriable' ? 'unknown' : meaning.kind;
  return { kind, ...failureOf(answer, target) };
}

/** The answer to a whole request, where there was none a partition. */
export function outcomeOfError(error: unknown, target: Target): Outcome {
  if (error instanceof AuthenticationError) {
    return { kind: 'authentication', code: null, message: error.message, cause: error };
  }
  if (error instanceof ConnectionError && !error.sent) {
    return { kind: 'retriable', ...failureOfError(error, target) };
  }
  if (error instanceof BrokerError) {
    return { kind: meaningOf(error.errorCode).kind, ...failureOfError(error, target) };
  }
  return { kind: 'unknown', ...failureOfError(error, target) };
}

/** What an operator should read about a request that failed as a whole. */
export function failureOfError(error: unknown, target: Target): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof BrokerError) {
    return { ...failureOf({ errorCode: error.errorCode }, target), cause: error };
  }
  // Connections report their own troubles, except what no single request can mend; a leader that cannot be reached may lead no longer.
  if (error instanceof ConnectionError) {
    const code = error.code === 'BROKER_TOO_OLD' ? error.code : null;
    return { code, message, cause: error, staleTopology: true };
  }
  if (error instanceof AuthenticationError) return { code: null, message, cause: error };
  return { code: 'BROKER_ERROR', message, cause: error };
}

/** What an operator should read about an error code. */
export function failureOf(
  answer: Pick<ProducePartitionReply, 'errorCode'> & Partial<ProducePartitionReply>,
  target: Target,
): Failure {
  const { errorCode, errorMessage = null, recordErrors = [], partition } = answer;
  const { code, says, staleTopology } = meaningOf(errorCode);
  const { code: name, staleMetadata } = brokerErrorInfo(errorCode);
  const where = partition === undefined ? '' : `, partition ${partition}`;
  const what =
    says?.(target, partition) ??
    `The broker answers with an error for topic ${target.topic}${where}`;
  const [refused] = recordErrors;
  const words = refused ? `record ${refused.index}: ${refused.message ?? 'invalid'}` : errorMessage;
  const named = words === null ? `${name} ${errorCode}` : `${name} ${errorCode}: ${words}`;
  return {
    code,
    message: `${what} (${named}).`,
    ...((staleTopology || staleMetadata) && { staleTopology: true }),
    ...(refused && { recordIndexes: recordErrors.map(({ index }) => index) }),
  };
}

function meaningOf(errorCode: number): Meaning {
  return meanings.get(errorCode) ?? { kind: 'retriable', code: 'BROKER_ERROR' };
}

function unknownTopic({ topic }: Target, partition?: number): string {
  const what =
    partition === undefined ? `Topic ${topic}` : `Partition ${partition} of topic ${topic}`;
  return `${what} does not exist, or not yet everywhere: create or claim it`;
}

function writeDenied(target: Target): string {
  return `Not allowed to write to topic ${target.topic}${as(target)}: claim it, or ask its owner`;
}

function as({ principal }: Target): string {
  return principal === null ? '' : ` as ${principal}`;
}
