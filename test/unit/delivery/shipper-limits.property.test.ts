import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Settlement } from '../../../src/delivery/record.ts';
import type { Shipper } from '../../../src/delivery/shipper.ts';
import { anyFault, ModelBroker } from './model-broker.ts';
import { setUp } from './shipping.ts';

const hour = 3_600_000;

const writes = fc.record({
  write: fc.integer({ min: 1, max: 60 }),
  size: fc.integer({ min: 0, max: 300 }),
  level: fc.constantFrom(null, 10, 30, 50),
  partition: fc.constantFrom(null, null, null, 0, 1, 3),
});

const step = fc.oneof(
  { weight: 8, arbitrary: writes },
  { weight: 2, arbitrary: fc.record({ flush: fc.constantFrom(0, 3, 30) }) },
  { weight: 2, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ maxBytes: fc.integer({ min: 90, max: 900 }) }) },
  { weight: 1, arbitrary: fc.record({ addPartitions: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ recreate: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ clockAhead: fc.constantFrom(hour, Infinity) }) },
);

function balance(shipper: Shipper): void {
  const { droppedByLevel, latencyMs, ...counters } = shipper.stats();
  expect(Math.min(...Object.values(counters), ...Object.values(droppedByLevel))).toBeGreaterThan(
    -1,
  );
  const { written, acknowledged, dropped, filtered, deadLettered, ...open } = counters;
  const { unresolved, buffered, inFlight } = open;
  expect(acknowledged + dropped + filtered + deadLettered + unresolved + buffered + inFlight).toBe(
    written,
  );
}

const numberOf = (value: string): number => Number(value.split(':')[0]);

it.each(['drop-oldest', 'drop-lowest-level'] as const)(
  'tells of each record once, and nothing false, whatever overflows, expires and is split: %s',
  async (onOverflow) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 14 }),
        fc.array(anyFault, { maxLength: 80 }),
        fc.record({ keyed: fc.boolean(), expires: fc.boolean(), stamped: fc.boolean() }),
        async (steps, faults, { keyed, expires, stamped }) => {
          const broker = new ModelBroker(2);
          broker.fault = () => faults.shift() ?? 'none';
          const { shipper, events } = setUp(
            {
              acks: stamped ? 'all' : 1,
              batchMaxBytes: 2048,
              bufferMaxBytes: 8192,
              onOverflow,
              closeTimeoutMs: 40,
              deliveryTimeoutMs: expires ? 6 : null,
            },
            broker,
          );
          const ends: Settlement[][] = [];
          let recreated = false;
          const write = (size: number, level: number | null, partition: number | null): void => {
            const number = ends.length;
            const own: Settlement[] = [];
            ends.push(own);
            shipper.write({
              key: keyed ? `k${number % 3}` : null,
              value: `${number}:${'x'.repeat(size)}`,
              headers: [],
              timestamp: Date.now() + 4 * hour,
              level,
              partition,
              settle: (end) => own.push(end),
            });
            balance(shipper);
            const { bufferedBytes, buffered } = shipper.stats();
            // What is on its way never gives way.
            if (buffered > 0) expect(bufferedBytes).toBeLessThanOrEqual(8192);
          };
          for (const one of steps) {
            if ('write' in one) {
              for (let count = 0; count < one.write; count += 1) {
                write(one.size, one.level, one.partition);
              }
            } else if ('flush' in one) {
              const before = ends.slice();
              const { pending } = await shipper.flush({ timeoutMs: one.flush });
              if (pending === 0) expect(before.every((own) => own.length === 1)).toBe(true);
            } else if ('wait' in one) await sleep(one.wait);
            else if ('maxBytes' in one) broker.maxBytes = one.maxBytes;
            else if ('recreate' in one) {
              broker.recreate(one.recreate);
              recreated = true;
            } else if ('clockAhead' in one) broker.latestTime = Date.now() + one.clockAhead;
            else broker.addPartitions(one.addPartitions);
            balance(shipper);
          }
          await shipper.close();
          balance(shipper);
          const { buffered, inFlight, bufferedBytes, possiblyRepeated } = shipper.stats();
          expect([buffered, inFlight, bufferedBytes]).toEqual([0, 0, 0]);
          expect(events.filter(({ code }) => code === 'INTERNAL_ERROR')).toEqual([]);
          expect(ends.filter((own) => own.length !== 1)).toEqual([]);
          // What the old topic held is gone with it.
          if (recreated) return;
          const stored = new Set(broker.values().map(numberOf));
          ends.flat().forEach((end, number) => {
            if (end.kind === 'failed') {
              if (!end.error.possiblyDelivered) expect(stored).not.toContain(number);
              return;
            }
            expect(stored).toContain(number);
            if (end.offset === null) return;
            const at = broker.partitions[end.partition]?.records[Number(end.offset)];
            expect(numberOf(at?.value ?? '')).toBe(number);
          });
          const doubted = events.some(({ code }) => code === 'POSSIBLY_REPEATED');
          if (stamped && possiblyRepeated === 0 && !doubted) {
            expect(broker.values()).toHaveLength(stored.size);
          }
        },
      ),
      // As many as fit into the time: each waits for its records to expire.
      { numRuns: 100, interruptAfterTimeLimit: 1_000 },
    );
  },
);
