/** Asks the brokers what a group has committed, and where logs begin and end. */
import type { Admin } from 'kafkajs';
import { within } from '../deadline.ts';
import type { ResolvedConsumer } from '../options.ts';
import type { Client } from './kafkajs-client.ts';
import { type Ends, type Found, keyOf, type Unplaced } from './positions.ts';

/** Takes what is known of a partition so far. Answers whether its end of the log is wanted, too. */
export type Take = (unplaced: Unplaced, found: Found) => boolean;

export interface Lookup {
  /** It has connections of its own: where it hangs, they end with it. */
  readonly newClient: () => Client;
  readonly options: Pick<ResolvedConsumer, 'groupId' | 'autoOffsetReset' | 'requestTimeoutMs'>;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Hands on each partition's answer as soon as it is there. Rejects where one was not found, or where that takes longer than
 * two requests may, since kafkajs may never answer; the others were handed on.
 *
 * kafkajs would find these offsets itself, but does not tell them: nobody could commit where a partition was begun, and its
 * `seek` takes the names of the ends for offset 0.
 */
export async function findOffsets(
  { newClient, options, signal }: Lookup,
  wanted: readonly Unplaced[],
  take: Take,
): Promise<void> {
  const timeoutMs = 2 * options.requestTimeoutMs;
  const late = (): Error => new Error(`no answer within ${timeoutMs / 1_000} s`);
  const client = newClient();
  try {
    await within(ask(client.kafka.admin(), options, wanted, take), { timeoutMs, late, signal });
  } finally {
    client.disconnect();
  }
}

async function ask(
  admin: Admin,
  { groupId, autoOffsetReset }: Lookup['options'],
  wanted: readonly Unplaced[],
  take: Take,
): Promise<void> {
  await admin.connect();
  const committed = await findCommitted(admin, groupId, topicsOf(wanted));
  const committedOf = (unplaced: Unplaced): bigint | null => committed.get(keyOf(unplaced)) ?? null;
  const endless = wanted.filter((one) => take(one, { committed: committedOf(one), end: null }));
  // kafkajs asks for all partitions of a topic at once: one that has no leader fails its topic, but not the others.
  const topics = await Promise.allSettled(
    topicsOf(endless).map(async (topic) => {
      const ends = await findEnds(admin, topic);
      for (const one of endless.filter((other) => other.topic === topic)) {
        const name = typeof one.target === 'string' ? one.target : autoOffsetReset;
        const found = ends.get(one.partition);
        if (found) take(one, { committed: committedOf(one), end: found[name], ends: found });
      }
      const missing = endless.find((one) => one.topic === topic && !ends.has(one.partition));
      if (missing) throw new Error(`${topic}/${missing.partition} is not known`);
    }),
  );
  const failed = topics.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

async function findCommitted(
  admin: Admin,
  groupId: string,
  topics: string[],
): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics })) {
    for (const { partition, offset } of partitions) {
      // -1 where nothing is committed.
      if (BigInt(offset) >= 0n) found.set(keyOf({ topic, partition }), BigInt(offset));
    }
  }
  return found;
}

async function findEnds(admin: Admin, topic: string): Promise<Map<number, Ends>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(
    offsets.map(({ partition, low, high }) => [
      partition,
      { earliest: BigInt(low), latest: BigInt(high) },
    ]),
  );
}

function topicsOf(wanted: readonly Unplaced[]): string[] {
  return [...new Set(wanted.map(({ topic }) => topic))];
}
