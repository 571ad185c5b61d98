/** Where the records of `tail` come from: a reading of one's own, or a membership of a group. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { DiasporaConsumer } from '../../consume/consumer.ts';
import { onLastingFault } from '../../consume/first-failure.ts';
import {
  type ConsumedRecord,
  openTopic,
  type PartitionRange,
  type ReadTopicOptions,
  type TopicReader,
} from '../../consume/read-topic.ts';
import { diagnosticsChannelName } from '../../diagnostics.ts';
import type { DiasporaError } from '../../errors.ts';
import type { ConnectionOptions } from '../../options.ts';
import type { ByTimeOptions } from './by-time.ts';
import type { Reading, TailPlan } from './plan.ts';
import { openUntilTime } from './until-time.ts';

/** Between two commits, in milliseconds: what was printed since the last one is printed again after a SIGKILL. */
const commitIntervalMs = 1_000;

/** Of a topic that can be read. */
export interface Source extends ByTimeOptions {
  readonly partitions: readonly PartitionRange[];
  /** Throws what only a person can mend, as long as there was no record. */
  records(): AsyncGenerator<ConsumedRecord, void, undefined>;
  /** This record, and those before it in its partition, are printed: a group may commit them. */
  done(record: ConsumedRecord): void;
  /** Takes at most 8 s. Answers whether the group has committed all that was printed: null without a group. Never rejects. */
  close(): Promise<boolean | null>;
}

/** Throws `ConnectionError`, `AuthenticationError` and `BrokerError` where the topic cannot be read. */
export async function openSource(
  { connection, topic, reading }: TailPlan,
  signal: AbortSignal,
): Promise<Source> {
  const options = { ...connection, topic };
  if (reading.group !== null) return openMember(options, reading, signal);
  const { from, to, stopTime } = reading;
  const open = (place: ReadTopicOptions): Promise<TopicReader> => openTopic(options, place);
  const reader =
    stopTime === null
      ? await open({ from, signal, ...(to !== undefined && { to }) })
      : await openUntilTime(open, { from, time: stopTime, signal });
  const behind = reader.partitions.filter(({ start, end }) => start < end);
  return {
    partitions: reader.partitions,
    ends: new Map(behind.map(({ partition, end }) => [partition, end])),
    records: () => reader.records(),
    done: () => undefined,
    pause: (partition) => reader.pause(partition),
    resume: (partition) => reader.resume(partition),
    close: async () => {
      await reader.close();
      return null;
    },
  };
}

async function openMember(
  options: ConnectionOptions & { readonly topic: string },
  { group, autoOffsetReset }: Extract<Reading, { group: string }>,
  signal: AbortSignal,
): Promise<Source> {
  // A consumer goes on trying, whatever is wrong: this says what is.
  await using topicReader = await openTopic(options, { signal });
  const { partitions } = topicReader;
  const consumer = new DiasporaConsumer({
    ...options,
    groupId: group,
    autoOffsetReset,
    autoCommitIntervalMs: commitIntervalMs,
  });
  const printing = new WeakMap<ConsumedRecord, () => void>();
  return {
    partitions,
    // Which partitions are this member's, and where it goes on, is the group's to say.
    ends: new Map(),
    records: () => recordsOf(consumer, { group, printing, signal }),
    done: (record) => printing.get(record)?.(),
    pause: () => undefined,
    resume: () => undefined,
    close: () => closed(consumer),
  };
}

async function* recordsOf(
  consumer: DiasporaConsumer,
  {
    group,
    printing,
    signal,
  }: {
    readonly group: string;
    /** What to call once a record is printed. */
    readonly printing: WeakMap<ConsumedRecord, () => void>;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<ConsumedRecord, void, undefined> {
  let fault: DiasporaError | null = null;
  const failed = new AbortController();
  const forget = onLastingFault(group, (error) => {
    fault = error;
    failed.abort();
  });
  const until = AbortSignal.any([signal, failed.signal]);
  try {
    for await (const { record, done } of consumer.deliveries({ signal: until })) {
      forget();
      printing.set(record, done);
      yield record;
    }
    if (fault !== null) throw fault;
  } finally {
    forget();
  }
}

/** Whether all was committed. */
async function closed(consumer: DiasporaConsumer): Promise<boolean> {
  let isCommitted = true;
  const listen = (message: unknown): void => {
    if (Object(message).code === 'COMMIT_FAILED') isCommitted = false;
  };
  subscribe(diagnosticsChannelName, listen);
  await consumer.close();
  unsubscribe(diagnosticsChannelName, listen);
  return isCommitted;
}
