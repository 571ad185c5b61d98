/** Asks the brokers what a group has committed, and where logs begin and end. */
import type { Kafka } from 'kafkajs';
import type { ResolvedConsumer } from '../options.ts';
import { type Found, keyOf, type Unplaced } from './positions.ts';

/**
 * kafkajs would find these offsets itself, but does not tell them: nobody could commit where a partition was begun, and its
 * `seek` takes the names of the ends for offset 0.
 */
export async function findOffsets(
  client: Kafka,
  { groupId, autoOffsetReset }: Pick<ResolvedConsumer, 'groupId' | 'autoOffsetReset'>,
  wanted: readonly Unplaced[],
): Promise<Map<Unplaced, Found>> {
  const admin = client.admin();
  await admin.connect();
  try {
    const committed = new Map<string, bigint>();
    const topics = [...new Set(wanted.map(({ topic }) => topic))];
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics })) {
      for (const { partition, offset } of partitions) {
        // -1 where nothing is committed.
        if (BigInt(offset) >= 0n) committed.set(keyOf({ topic, partition }), BigInt(offset));
      }
    }
    const endOf = (unplaced: Unplaced): 'earliest' | 'latest' | null => {
      const { target } = unplaced;
      if (typeof target === 'bigint') return null;
      return target ?? (committed.has(keyOf(unplaced)) ? null : autoOffsetReset);
    };
    const ends = new Map<string, { readonly earliest: bigint; readonly latest: bigint }>();
    for (const topic of new Set(wanted.filter(endOf).map(({ topic }) => topic))) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        ends.set(keyOf({ topic, partition }), { earliest: BigInt(low), latest: BigInt(high) });
      }
    }
    const found = new Map<Unplaced, Found>();
    for (const unplaced of wanted) {
      const key = keyOf(unplaced);
      const name = endOf(unplaced);
      const end = name && ends.get(key)?.[name];
      if (end === undefined) {
        throw new Error(`partition ${unplaced.partition} of topic ${unplaced.topic} is not known`);
      }
      found.set(unplaced, { committed: committed.get(key) ?? null, end });
    }
    return found;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
