/** Where the records of `tail` come from: a reading of one's own, or a membership of a group. */
import { DiasporaConsumer } from '../../consume/consumer.ts';
import { onLastingFault } from '../../consume/first-failure.ts';
import { type ConsumedRecord, openTopic, type PartitionRange } from '../../consume/read-topic.ts';
import type { DiasporaError } from '../../errors.ts';
import type { ConnectionOptions } from '../../options.ts';
import type { ByTimeOptions } from './by-time.ts';
import type { Reading, TailPlan } from './plan.ts';

/** Of a topic that can be read. */
export interface Source extends ByTimeOptions {
  readonly partitions: readonly PartitionRange[];
  /** Null without a group. */
  readonly consumer: DiasporaConsumer | null;
  /** Throws what only a person can mend, as long as there was no record. */
  records(): AsyncGenerator<ConsumedRecord, void, undefined>;
  /** Takes at most 8 s. Never rejects. */
  close(): Promise<void>;
}

/** Throws `ConnectionError`, `AuthenticationError` and `BrokerError` where the topic cannot be read. */
export async function openSource(
  { connection, topic, reading }: TailPlan,
  signal: AbortSignal,
): Promise<Source> {
  const options = { ...connection, topic };
  if (reading.group !== null) return openMember(options, reading, signal);
  const { from, to } = reading;
  const reader = await openTopic(options, { from, signal, ...(to !== undefined && { to }) });
  const behind = reader.partitions.filter(({ start, end }) => start < end);
  return {
    partitions: reader.partitions,
    ends: new Map(behind.map(({ partition, end }) => [partition, end])),
    consumer: null,
    records: () => reader.records(),
    pause: (partition) => reader.pause(partition),
    resume: (partition) => reader.resume(partition),
    close: () => reader.close(),
  };
}

async function openMember(
  options: ConnectionOptions & { readonly topic: string },
  { group, autoOffsetReset, commitAfterPrint }: Extract<Reading, { group: string }>,
  signal: AbortSignal,
): Promise<Source> {
  // A consumer goes on trying, whatever is wrong: this says what is.
  await using topicReader = await openTopic(options, { signal });
  const { partitions } = topicReader;
  const consumer = new DiasporaConsumer({
    ...options,
    groupId: group,
    autoOffsetReset,
    autoCommit: !commitAfterPrint,
  });
  return {
    partitions,
    // Which partitions are this member's, and where it goes on, is the group's to say.
    ends: new Map(),
    consumer,
    records: () => recordsOf(consumer, group, signal),
    pause: () => undefined,
    resume: () => undefined,
    close: () => consumer.close(),
  };
}

async function* recordsOf(
  consumer: DiasporaConsumer,
  group: string,
  signal: AbortSignal,
): AsyncGenerator<ConsumedRecord, void, undefined> {
  let fault: DiasporaError | null = null;
  const failed = new AbortController();
  const forget = onLastingFault(group, (error) => {
    fault = error;
    failed.abort();
  });
  try {
    for await (const record of consumer.records({
      signal: AbortSignal.any([signal, failed.signal]),
    })) {
      forget();
      yield record;
    }
    if (fault !== null) throw fault;
  } finally {
    forget();
  }
}
