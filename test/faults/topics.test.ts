import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../../stack/broker.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { fronts, type LoggingApp, type LoggingState } from './driving/logging-app.ts';
import { deadLettered } from './oracle/dead-lettered.ts';
import { type StoredBatch, storedBatches } from './oracle/stored-batches.ts';
import {
  type Apps,
  type Cause,
  expectAllDelivered,
  expectNamed,
  meetRefusal,
  type OfEach,
  perSecond,
  type RefusalResult,
  refusedMs,
} from './refusal.ts';
import { inForm } from './report/form.ts';

let stack: Stack;
beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
});
afterAll(() => stack.stop());

/** No test here takes longer, in milliseconds. */
const timeout = inForm({ full: 240_000, short: 90_000 });

const theBroker = (): Broker => {
  const [broker] = stack.brokers;
  if (!broker) throw new Error('The stack has no broker.');
  return broker;
};

const topicUnknown: Cause = {
  code: 'TOPIC_UNKNOWN',
  says: [/opic \S+ does not exist, or not yet everywhere/, /create or claim it/],
};

/** Logs nothing more until everything so far is settled; tells how much that is. */
async function settle(app: LoggingApp): Promise<LoggingState> {
  await app.pause();
  const state = await app.flush();
  expect(state.stats).toMatchObject({ buffered: 0, inFlight: 0 });
  return state;
}

describe.concurrent('Records wait for the topic and the right to it', { timeout }, () => {
  it('when the right to write is taken away and given back', (context) =>
    meetRefusal(
      context,
      {
        fault: 'The right to write taken away, given back',
        stack,
        prepare: ({ topic }) => stack.createTopic(topic, { partitions: 3 }),
        async meet({ each, measure }, { topic }) {
          await each((app) => app.flush());
          await measure();
          await stack.revoke(stack.oauthPrincipal, { topic }, ['WRITE']);
          await each((app) => app.said('TOPIC_WRITE_DENIED'));
          await sleep(refusedMs);
          await stack.grant(stack.oauthPrincipal, { topic }, ['WRITE']);
          await each((app) => app.said('DELIVERY_RESUMED'));
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'TOPIC_WRITE_DENIED',
              says: [/Not allowed to write to topic/, /claim it, or ask its owner/],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    ));

  it('when there is no such topic yet', (context) =>
    meetRefusal(
      context,
      {
        fault: 'A topic that does not exist, made later',
        stack,
        prepare: ({ topic }) =>
          stack.grant(stack.oauthPrincipal, { topic }, ['WRITE', 'READ', 'DESCRIBE']),
        async meet({ each, measure }, { topic }) {
          await each((app) => app.said('TOPIC_UNKNOWN'));
          await measure();
          await sleep(refusedMs);
          await stack.createTopic(topic, { partitions: 3 });
          await each((app) => app.said('DELIVERY_RESUMED'));
        },
      },
      (result) => {
        expectNamed(context, result, { causes: [topicUnknown], after: ['DELIVERY_RESUMED'] });
        expectAllDelivered(result);
      },
    ));

  it('when there is no such topic, and no right to the name either', (context) =>
    meetRefusal(
      context,
      {
        fault: 'A topic that does not exist, and no right to its name, claimed later',
        stack,
        prepare: async () => {},
        async meet({ each, measure }, { topic }) {
          await each((app) => app.said('TOPIC_WRITE_DENIED'));
          await measure();
          await sleep(refusedMs);
          // First the topic: with the right alone, the broker would tell that there is none.
          await stack.createTopic(topic, { partitions: 3, owner: [] });
          await stack.grant(stack.oauthPrincipal, { topic }, ['WRITE']);
          await each((app) => app.said('DELIVERY_RESUMED'));
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'TOPIC_WRITE_DENIED',
              says: [
                /does not exist, or may not be written to/,
                /Check the spelling; else claim the topic, or ask its owner/,
              ],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    ));

  it('when they name a partition that is not there yet', (context) =>
    meetRefusal(
      context,
      {
        fault: 'Records for a partition that does not exist, added later',
        stack,
        options: () => ({ partition: 1 }),
        prepare: ({ topic }) => stack.createTopic(topic),
        async meet({ each, measure }, { topic }) {
          await each((app) => app.said('TOPIC_UNKNOWN'));
          await measure();
          await sleep(refusedMs);
          await stack.addPartitions(topic, 2);
          await each((app) => app.said('DELIVERY_RESUMED'));
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'TOPIC_UNKNOWN',
              says: [/has no partition 1: it has 1/, /Add partitions, or name another/],
            },
          ],
          after: ['DELIVERY_RESUMED'],
        });
        expectAllDelivered(result);
      },
    ));

  // A transport asks once a minute which partitions there are: more time than the short form has.
  if (inForm({ full: true, short: false })) {
    it('and use partitions that are added', (context) =>
      meetRefusal(
        context,
        {
          fault: 'Two partitions added to one',
          stack,
          prepare: ({ topic }) => stack.createTopic(topic),
          async meet({ each, measure }, { topic }) {
            await each((app) => app.flush());
            await measure();
            await stack.addPartitions(topic, 3);
            const used = async (): Promise<boolean> =>
              [...(await stack.endOffsets(topic)).values()].every((end) => end > 0n);
            while (!(await used())) await sleep(1_000);
            await sleep(refusedMs);
          },
        },
        (result) => {
          expectNamed(context, result, { causes: [] });
          expectAllDelivered(result);
        },
      ));
  }

  it('when the topic is deleted and made again', async (context) => {
    /** What was acknowledged before the topic was deleted, and what was written until it was gone. */
    let before: OfEach<LoggingState> | undefined;
    let until: OfEach<LoggingState> | undefined;
    await meetRefusal(
      context,
      {
        fault: 'The topic deleted and made again',
        stack,
        prepare: ({ topic }) => stack.createTopic(topic),
        async meet({ each, logAt, measure }, { topic }) {
          before = await each(settle);
          await measure();
          await logAt(perSecond);
          await stack.deleteTopic(topic);
          until = await each((app) => app.logAt(perSecond));
          await each((app) => app.said('TOPIC_UNKNOWN'));
          await sleep(refusedMs);
          await stack.createTopic(topic);
          await each((app) => app.said('DELIVERY_RESUMED'));
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            topicUnknown,
            {
              code: 'TOPIC_RECREATED',
              says: [
                /was deleted and made again: records acknowledged before are gone/,
                /those not yet acknowledged go to the new one/,
              ],
            },
          ],
          after: ['DELIVERY_RESUMED'],
          countedAsLost: (front) => `0 (${result.delivered[front].lost} went with the old topic)`,
        });
        for (const front of fronts) {
          const { written, stats } = result.apps[front];
          const { missing, lost, repeated, reordered } = result.delivered[front];
          expect(stats, front).toMatchObject({ written, acknowledged: written, dropped: 0 });
          expect({ lost, repeated, reordered }, front).toEqual({
            lost: missing.length,
            repeated: 0,
            reordered: 0,
          });
          // One partition, in order: what is missing is the beginning, and nothing of it has come again.
          expect(missing, front).toEqual(missing.map((_, n) => n));
          expect(lost, front).toBeGreaterThanOrEqual(before?.[front].written ?? Number.NaN);
          expect(lost, front).toBeLessThanOrEqual(until?.[front].written ?? Number.NaN);
        }
      },
    );
  });
});

describe.concurrent('Records larger than the topic takes', { timeout }, () => {
  /** Bytes: batches that linger for a second are larger, and their records smaller. */
  const batchLimit = 10_000;

  it('are sent in smaller batches, where the batch alone is too large', async (context) => {
    let lowered = 0n;
    const stored: StoredBatch[] = [];
    const logAndFlush = async ({ each }: Apps): Promise<void> => {
      await sleep(inForm({ full: 5_000, short: 1_500 }));
      await each((app) => app.flush());
    };
    await meetRefusal(
      context,
      {
        fault: '`max.message.bytes` lowered below a batch',
        stack,
        options: () => ({ lingerMs: 1_000 }),
        prepare: ({ topic }) => stack.createTopic(topic),
        async meet(apps, { topic }) {
          await logAndFlush(apps);
          await apps.measure();
          await logAndFlush(apps);
          await stack.alterTopicConfig(topic, { 'max.message.bytes': String(batchLimit) });
          // What is on its way just now may still meet the old limit.
          await logAndFlush(apps);
          lowered = (await stack.endOffsets(topic)).get(0) ?? lowered;
          await logAndFlush(apps);
          stored.push(...(await storedBatches(theBroker(), topic, 0)));
        },
      },
      (result) => {
        expectNamed(context, result, {
          causes: [
            {
              code: 'BATCH_TOO_LARGE',
              says: [
                /takes no batch of \d+ bytes.*: such batches are split, and nothing is lost/,
                /lower batchMaxBytes, or raise the topic's max\.message\.bytes/,
              ],
            },
          ],
        });
        expectAllDelivered(result);
        const before = stored.filter(({ baseOffset }) => baseOffset < lowered);
        const after = stored.filter(({ baseOffset }) => baseOffset >= lowered);
        expect(Math.max(...before.map(({ bytes }) => bytes))).toBeGreaterThan(batchLimit);
        expect(after.length).toBeGreaterThan(0);
        expect(Math.max(...after.map(({ bytes }) => bytes))).toBeLessThanOrEqual(batchLimit);
      },
    );
  });

  const recordLimit = 2_000;
  const large = { count: 1, size: 5_000 };
  const recordTooLarge = (whatBecameOfIt: RegExp): Cause => ({
    code: 'RECORD_TOO_LARGE',
    says: [
      /record of \d+ bytes is larger than topic/,
      /raise its max\.message\.bytes, or log less in one record/,
      whatBecameOfIt,
    ],
  });
  /** Without a large record, no batch reaches the limit. */
  const smallBatches = { batchMaxRecords: 4 };

  /** Lowers the limit while records flow; logs large ones among them until one, and then two more, are too large. */
  const lowerBelowRecord = async ({ each, measure }: Apps, topic: string): Promise<void> => {
    await each((app) => app.burst(large));
    await each((app) => app.flush());
    await measure();
    await stack.alterTopicConfig(topic, { 'max.message.bytes': String(recordLimit) });
    await each(async (app) => {
      let refused = 0;
      while (refused < 3) {
        await app.burst(large);
        const { stats } = await app.flush();
        refused = (stats?.dropped ?? 0) + (stats?.deadLettered ?? 0);
      }
    });
    await sleep(inForm({ full: 5_000, short: 1_000 }));
  };

  const expectOthersDelivered = ({ apps, delivered }: RefusalResult): void => {
    for (const front of fronts) {
      const { written } = apps[front];
      const around = { records: written - 3, lost: 3, repeated: 0, reordered: 0 };
      expect(delivered[front], front).toMatchObject(around);
    }
  };

  it('go to the dead letters, and they alone, where there is a directory', async (context) => {
    await meetRefusal(
      context,
      {
        fault: '`max.message.bytes` lowered below a record; with `deadLetter`',
        stack,
        options: ({ directory }) => ({ ...smallBatches, deadLetter: directory }),
        prepare: ({ topic }) => stack.createTopic(topic),
        meet: (apps, { topic }) => lowerBelowRecord(apps, topic),
      },
      async (result) => {
        const setAside = await deadLettered(result.directory);
        const ofFront = (front: string) => setAside.filter(({ logged }) => logged.front === front);
        expectNamed(context, result, {
          causes: [recordTooLarge(/It is in \S+dead-letters-/)],
          countedAsLost: (front) => `0 (${ofFront(front).length} in the dead letters)`,
        });
        expectOthersDelivered(result);
        for (const front of fronts) {
          const { written, stats } = result.apps[front];
          expect(stats, front).toMatchObject({
            written,
            acknowledged: written - 3,
            deadLettered: 3,
            dropped: 0,
          });
          expect(
            ofFront(front).map(({ logged }) => logged.n),
            front,
          ).toEqual(result.delivered[front].missing);
        }
        for (const { reason, logged } of setAside) {
          expect(reason).toBe('RECORD_TOO_LARGE');
          expect(logged.padding).toBe('x'.repeat(large.size));
        }
      },
    );
  });

  it('are counted as dropped, and they alone, where there is none', (context) =>
    meetRefusal(
      context,
      {
        fault: '`max.message.bytes` lowered below a record; without `deadLetter`',
        stack,
        options: () => smallBatches,
        prepare: ({ topic }) => stack.createTopic(topic),
        meet: (apps, { topic }) => lowerBelowRecord(apps, topic),
      },
      (result) => {
        // At the end it says once more how many it has dropped.
        expectNamed(context, result, {
          causes: [recordTooLarge(/It was dropped; set deadLetter to a directory/)],
          after: ['NOT_DELIVERED'],
        });
        expectOthersDelivered(result);
        for (const front of fronts) {
          const { written, stats } = result.apps[front];
          expect(stats, front).toMatchObject({ written, acknowledged: written - 3, dropped: 3 });
        }
      },
    ));
});

/** Bytes. */
const buffer = { bufferMaxBytes: 2 ** 18, batchMaxBytes: 2 ** 14 };

/** Records a second, each of some 250 bytes: the buffer is full within a second. */
const flood = 2_000;

describe('A buffer that is full', { timeout }, () => {
  it('gives up the oldest records that wait, and counts them', (context) =>
    meetRefusal(
      context,
      {
        fault: 'The buffer full: the broker frozen (SIGSTOP)',
        stack,
        options: () => buffer,
        prepare: ({ topic }) => stack.createTopic(topic, { partitions: 3 }),
        async meet({ each, logAt, measure }) {
          await each((app) => app.flush());
          await measure();
          theBroker().freeze();
          try {
            await logAt(flood);
            await each((app) => app.said('BUFFER_FULL'));
            await sleep(refusedMs);
            await logAt(perSecond);
          } finally {
            theBroker().thaw();
          }
        },
      },
      (result) => {
        // At the end it says once more how many it has dropped.
        expectNamed(context, result, {
          causes: [
            {
              code: 'BUFFER_FULL',
              says: [
                /buffer for topic \S+ is full \(262144 bytes\)\. Records dropped so far: \d+/,
                /look at earlier lines for the cause, or raise bufferMaxBytes/,
              ],
            },
          ],
          after: ['NOT_DELIVERED'],
        });
        for (const front of fronts) {
          const { written, stats } = result.apps[front];
          const { missing, ...delivered } = result.delivered[front];
          const dropped = missing.length;
          expect(dropped, front).toBeGreaterThan(0);
          expect(stats, front).toMatchObject({
            written,
            acknowledged: written - dropped,
            dropped,
            buffered: 0,
            inFlight: 0,
          });
          expect(delivered, front).toMatchObject({
            records: written - dropped,
            lost: dropped,
            repeated: 0,
            reordered: 0,
          });
          // One gap: before it what was on its way, after it the newest.
          const [oldest = 0] = missing;
          expect(missing, front).toEqual(missing.map((_, i) => oldest + i));
          expect(missing.at(-1), front).toBeLessThan(written - 1);
        }
      },
    ));
});
