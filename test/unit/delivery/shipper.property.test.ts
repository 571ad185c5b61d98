import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LogRecord } from '../../../src/delivery/record.ts';
import { anyFault, ModelBroker } from './model-broker.ts';
import { setUp } from './shipping.ts';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.constant({ flush: true }) },
  { weight: 1, arbitrary: fc.record({ maxBytes: fc.integer({ min: 90, max: 900 }) }) },
  { weight: 1, arbitrary: fc.record({ addPartitions: fc.integer({ min: 1, max: 2 }) }) },
);

const recordOf = (value: number, key: string | null, partition: number | null): LogRecord => ({
  key,
  value: String(value),
  headers: [],
  timestamp: 0,
  level: null,
  partition,
});

it('loses, repeats and reorders nothing, whatever requests and answers are lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(anyFault, { maxLength: 60 }),
      fc.constantFrom(0, 2 ** 31 - 30, 2 ** 31 - 1),
      fc.boolean(),
      async (steps, faults, sequence, keyed) => {
        const broker = new ModelBroker(2);
        broker.fault = () => faults.shift() ?? 'none';
        const { shipper } = setUp(
          {
            retry: { minMs: 1, maxMs: 1 },
            lingerMs: 0,
            batchMaxBytes: 2048,
            closeTimeoutMs: 60_000,
            beginAt: { epoch: 0, sequence },
          },
          broker,
        );
        let written = 0;
        for (const one of steps) {
          if ('write' in one) {
            for (let count = 0; count < one.write; count += 1) {
              shipper.write(recordOf(written, keyed ? `k${written % 3}` : null, null));
              written += 1;
            }
          } else if ('flush' in one) await shipper.flush({ timeoutMs: 3 });
          else if ('maxBytes' in one) broker.maxBytes = one.maxBytes;
          else broker.addPartitions(one.addPartitions);
          const s = shipper.stats();
          expect(s.acknowledged + s.buffered + s.inFlight + s.dropped).toBe(s.written);
        }
        // What its leader refuses to take again is proved stored by the next batch of its lane.
        broker.fault = () => 'none';
        broker.maxBytes = Number.POSITIVE_INFINITY;
        broker.partitions.forEach((_, partition) => {
          shipper.write(recordOf(written++, 'proof', partition));
        });
        await shipper.close();
        const values = broker.values().map(Number);
        expect(values.sort((one, other) => one - other)).toEqual(
          Array.from({ length: written }, (_, index) => index),
        );
        for (const { records } of broker.partitions) {
          for (const key of new Set(records.map((one) => one.key))) {
            const order = records.filter((one) => one.key === key).map((one) => Number(one.value));
            expect(order).toEqual([...order].sort((one, other) => one - other));
          }
        }
        expect(shipper.stats()).toMatchObject({ acknowledged: written, possiblyRepeated: 0 });
      },
    ),
    { numRuns: 200 },
  );
}, 45_000);
