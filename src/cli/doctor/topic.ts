/** The topic, and what may be done with it: found out without leaving a record. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerError, ConnectionError } from '../../errors.ts';
import type { Cluster } from '../../wire/cluster.ts';
import { brokerError } from '../../wire/error-table.ts';
import { describeProducers } from '../../wire/requests/describe-producers.ts';
import { initProducerId } from '../../wire/requests/init-producer-id.ts';
import { type MetadataReply, metadata } from '../../wire/requests/metadata.ts';
import { produce } from '../../wire/requests/produce.ts';
import { exitCodes } from '../exit-codes.ts';
import { type Finding, ok, skipped, warning } from './examination.ts';

/** Deadline of one request, in milliseconds. */
const timeoutMs = 5_000;

/** Between two questions that were answered with "not yet", in milliseconds. */
const againMs = 200;

/** Codes of Kafka's protocol. */
const code = { none: 0, unknownTopic: 3, topicDenied: 29, clusterDenied: 31 } as const;

type TopicPartition = MetadataReply['topics'][number]['partitions'][number];

/** A topic that is there, and a partition of it that has a leader. */
export interface KnownTopic {
  readonly topic: string;
  readonly topicId: string | null;
  readonly partition: number;
  readonly leader: number;
}

export async function examineTopic(cluster: Cluster, topic: string): Promise<Finding<KnownTopic>> {
  // The cluster learns by it where the leaders are.
  await cluster.metadata(topic).catch((error: unknown) => {
    if (error instanceof BrokerError && error.errorCode === code.topicDenied) throw denied(topic);
    if (error instanceof BrokerError && error.errorCode === code.unknownTopic) {
      const message = `There is no topic ${topic}. Create or claim it, or check its spelling.`;
      throw new BrokerError(error.code, error.errorCode, message, false);
    }
    throw error;
  });
  const reply = await cluster.request(null, metadata, { topics: [topic] }, { timeoutMs });
  const found = reply.topics.find(({ name }) => name === topic);
  return judgeTopic(topic, found?.topicId ?? null, found?.partitions ?? []);
}

/** Whether its partitions are led, and their copies up to date. */
export function judgeTopic(
  topic: string,
  topicId: string | null,
  partitions: readonly TopicPartition[],
): Finding<KnownTopic> {
  const led = partitions.flatMap(({ id, leader }) => (leader === null ? [] : [{ id, leader }]));
  const [first] = led;
  const copies = Math.min(...partitions.map(({ replicas }) => replicas.length));
  const text = `${topic}: ${count(partitions.length, 'partition')}, ${count(copies, 'copy', 'copies')} of each`;
  const advice = 'Is a broker down? Records for these partitions wait until it is back.';
  if (first === undefined) {
    const notes = [{ text: `${text}, and no partition has a leader`, advice }];
    return { status: 'failed', notes, exitStatus: exitCodes.unavailable };
  }
  const known = { topic, topicId, partition: first.id, leader: first.leader };
  const leaderless = partitions.filter(({ leader }) => leader === null).map(({ id }) => id);
  if (leaderless.length > 0) {
    return warning(known, { text: `${text}; without a leader: ${leaderless.join(', ')}`, advice });
  }
  const behind = partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length);
  if (behind.length > 0) {
    return warning(known, {
      text: `${text}; copies are behind of: ${behind.map(({ id }) => id).join(', ')}`,
      advice: 'Is a broker down? With too few copies in sync, writes with acks "all" are refused.',
    });
  }
  return ok(known, `${text}, all led and in sync`);
}

const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;

function denied(topic: string): BrokerError {
  const message = `Topic ${topic} does not exist, or this account may not see it (brokers with access rules do not tell which). Check its spelling; else claim it, or ask its owner for the right.`;
  return new BrokerError('TOPIC_AUTHORIZATION_FAILED', code.topicDenied, message, false);
}

/**
 * By a request without records: the right is looked at first, and such a request is refused as invalid only then (`KafkaApis.handleProduceRequest`:
 * authorization, then `ProduceRequest.validateRecords`).
 */
export async function examineWriting(
  cluster: Cluster,
  { topic, topicId, partition, leader }: KnownTopic,
): Promise<Finding<true>> {
  const records = Buffer.alloc(0);
  const body = { acks: -1, timeoutMs, topic, topicId, partitions: [{ partition, records }] };
  const reply = await cluster.request(leader, produce, body, { timeoutMs });
  const errorCode = reply.partitions[0]?.errorCode ?? code.none;
  if (errorCode !== code.topicDenied) return ok(true, 'granted (found out without a record)');
  throw withAdvice(errorCode, `This account may not write to topic ${topic}.`, 'WRITE');
}

/** By a question that takes the same right as reading. */
export async function examineReading(
  cluster: Cluster,
  { topic, partition, leader }: KnownTopic,
): Promise<Finding<true>> {
  try {
    const body = { topic, partitions: [partition] };
    const reply = await cluster.request(leader, describeProducers, body, { timeoutMs });
    const errorCode = reply.partitions[0]?.errorCode ?? code.none;
    if (errorCode !== code.topicDenied) return ok(true, 'granted');
    throw withAdvice(
      errorCode,
      `This account may not read topic ${topic}; writing works without.`,
      'READ',
    );
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== 'BROKER_TOO_OLD') throw error;
    return skipped('brokers before Kafka 2.8 do not tell without a reader');
  }
}

export const isTopicDenied = (error: unknown): boolean =>
  error instanceof BrokerError && error.errorCode === code.topicDenied;

function withAdvice(errorCode: number, message: string, right: string): BrokerError {
  const { code: name } = brokerError(errorCode, '');
  const advice = `Claim the topic, or ask its owner for the ${right} right.`;
  return new BrokerError(name, errorCode, `${message} ${advice}`, false);
}

export async function examineIdempotence(
  cluster: Pick<Cluster, 'request'>,
  signal: AbortSignal,
): Promise<Finding<true>> {
  const errorCode = await settled(signal, async () => {
    const reply = await cluster.request(null, initProducerId, {}, { timeoutMs });
    return reply.errorCode;
  });
  if (errorCode === code.none) return ok(true, 'granted: each record is stored once');
  if (errorCode !== code.clusterDenied) throw brokerError(errorCode, 'A producer id');
  return warning(true, {
    text: 'not granted: after a failure, records may be stored twice',
    advice: 'Ask for IDEMPOTENT_WRITE on the cluster (AWS: kafka-cluster:WriteDataIdempotently).',
  });
}

/** The first answer that does not pass by itself: a broker that has just started loads its coordinators first. */
async function settled(signal: AbortSignal, ask: () => Promise<number>): Promise<number> {
  for (;;) {
    const errorCode = await ask();
    if (!brokerError(errorCode, '').retriable || signal.aborted) return errorCode;
    await sleep(againMs);
  }
}
