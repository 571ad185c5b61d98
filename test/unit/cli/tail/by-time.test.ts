import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byTime } from '../../../../src/cli/tail/by-time.ts';
import { HeldRecords } from '../../../../src/cli/tail/held-records.ts';
import type { ConsumedRecord } from '../../../../src/consume/read-topic.ts';
import { record } from './records.ts';

/** Record `time` of a partition, offsets from 0 on in the order of the times. */
const logOf = (partition: number, times: readonly number[], bytes = 1): ConsumedRecord[] =>
  times.map((time, index) =>
    record({ partition, offset: BigInt(index), timestamp: time, value: Buffer.alloc(bytes) }),
  );

const endsOf = (logs: readonly ConsumedRecord[][]): Map<number, bigint> =>
  new Map(
    logs.flatMap((log, partition) => (log.length > 0 ? [[partition, BigInt(log.length)]] : [])),
  );

async function* source(records: readonly ConsumedRecord[]): AsyncGenerator<ConsumedRecord> {
  yield* records;
}

async function timesOf(records: AsyncIterable<ConsumedRecord>): Promise<number[]> {
  const times: number[] = [];
  for await (const { timestamp } of records) times.push(timestamp);
  return times;
}

const never = (): void => undefined;

describe('records of several partitions', () => {
  it('come in the order of their times, however they are fetched', async () => {
    const sorted = fc
      .array(fc.nat(1_000), { maxLength: 30 })
      .map((times) => times.toSorted((a, b) => a - b));
    await fc.assert(
      fc.asyncProperty(
        fc.array(sorted, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat(4)),
        async (times, picks) => {
          const logs = times.map((one, partition) => logOf(partition, one));
          const queues = logs.map((log) => [...log]);
          const arriving: ConsumedRecord[] = [];
          // Fetches bring pieces of any size, of one partition after the other.
          while (queues.some((queue) => queue.length > 0)) {
            const from = queues[(picks.next().value ?? 0) % queues.length] ?? [];
            arriving.push(...from.splice(0, 1 + (picks.next().value ?? 0)));
          }
          const found = await timesOf(
            byTime(source(arriving), { ends: endsOf(logs), pause: never, resume: never }),
          );
          expect(found).toEqual(times.flat().toSorted((a, b) => a - b));
        },
      ),
    );
  });

  it('pauses one that is far ahead, and resumes it when the others have caught up', async () => {
    const mebibyte = 2 ** 20;
    const logs = [
      logOf(
        0,
        Array.from({ length: 24 }, (_, i) => 100 + i),
        mebibyte,
      ),
      logOf(1, [1, 200]),
    ];
    const [ahead = [], behind = []] = logs;
    const done: string[] = [];
    let resumed = (): void => undefined;
    const isResumed = new Promise<void>((resolve) => {
      resumed = resolve;
    });
    const arriving = (async function* () {
      yield* [...ahead, ...behind];
      await isResumed;
    })();
    const options = {
      ends: endsOf(logs),
      pause: (partition: number) => void done.push(`pause ${partition}`),
      resume: (partition: number) => {
        done.push(`resume ${partition}`);
        resumed();
      },
    };
    expect(await timesOf(byTime(arriving, options))).toHaveLength(26);
    expect(done).toEqual(['pause 0', 'resume 0']);
  });

  it('holds no more than 32 MiB, and then lets the earliest go', () => {
    const held = new HeldRecords(
      new Map([
        [0, 1_000n],
        [1, 1_000n],
      ]),
    );
    const log = logOf(
      0,
      Array.from({ length: 33 }, (_, i) => i),
      2 ** 20,
    );
    for (const one of log.slice(0, 31)) held.add(one, 0);
    expect(held.take(0)).toBeNull();
    for (const one of log.slice(31)) held.add(one, 0);
    expect(held.take(0)?.timestamp).toBe(0);
  });

  it('does not wait for ever for what does not come', async () => {
    // The last offsets of a partition may hold no records.
    const records = (async function* () {
      yield record({ partition: 0, timestamp: 5 });
      await new Promise(() => undefined);
    })();
    const interleaved = byTime(records, {
      ends: new Map([
        [0, 1n],
        [1, 9n],
      ]),
      pause: never,
      resume: never,
    });
    expect((await interleaved.next()).value).toMatchObject({ timestamp: 5 });
  });

  it('holds a live record for others of the same moment, but not where there is one partition alone', () => {
    const held = new HeldRecords(new Map());
    held.add(record({ partition: 0, timestamp: 2 }), 0);
    expect(held.take(0)?.timestamp).toBe(2);
    held.add(record({ partition: 0, timestamp: 4 }), 0);
    held.add(record({ partition: 1, timestamp: 3 }), 50);
    expect(held.take(99)).toBeNull();
    expect(held.take(150)?.timestamp).toBe(3);
    expect(held.take(150)?.timestamp).toBe(4);
  });

  it('end with the error of the source, behind all that came before it', async () => {
    const records = (async function* () {
      yield record({ partition: 0, timestamp: 5 });
      yield record({ partition: 0, timestamp: 6 });
      throw new Error('no right');
    })();
    const times: number[] = [];
    // What is still to come of the other partition holds these up.
    const options = { ends: new Map([[1, 9n]]), pause: never, resume: never };
    const reading = async (): Promise<void> => {
      for await (const { timestamp } of byTime(records, options)) times.push(timestamp);
    };
    await expect(reading()).rejects.toThrow('no right');
    expect(times).toEqual([5, 6]);
  });
});
