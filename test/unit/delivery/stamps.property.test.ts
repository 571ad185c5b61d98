import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Settlement } from '../../../src/delivery/record.ts';
import { anyFault, ModelBroker } from './model-broker.ts';
import { setUp } from './shipping.ts';

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.constant({ flush: true }) },
  // A record that no broker takes: its lane goes on under the next epoch.
  { weight: 3, arbitrary: fc.constant({ writeInvalid: true }) },
  // A retention, or an election of a leader that lost its log's end, takes the producer's state with it.
  { weight: 1, arbitrary: fc.record({ forget: fc.integer({ min: 0, max: 1 }) }) },
  // Another process goes on under the same producer id.
  { weight: 1, arbitrary: fc.record({ fence: fc.integer({ min: 0, max: 1 }) }) },
);

const numberOf = (value: string): number => Number(value.split(':')[0]);

/** A slow machine may be cut short, but not so far that the property is hardly tried. */
const leastRuns = 100;

it('bumps epochs, takes new producer ids and is fenced without a record lost or repeated in silence', async () => {
  let runs = 0;
  let fencedRuns = 0;
  let renewedRuns = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 14 }),
      fc.array(anyFault, { maxLength: 60 }),
      fc.constantFrom(
        { epoch: 0, sequence: 2 ** 31 - 15 },
        { epoch: 32_766, sequence: 0 },
        { epoch: 32_767, sequence: 2 ** 31 - 3 },
      ),
      fc.boolean(),
      async (steps, faults, beginAt, mayDescribe) => {
        const broker = new ModelBroker(2);
        const invalid = new Set<string>();
        const ids = new Set<bigint>();
        broker.invalid = invalid;
        broker.mayDescribe = mayDescribe;
        broker.fault = () => faults.shift() ?? 'none';
        broker.onSend = (parts) => {
          for (const { stamp } of parts) if (stamp) ids.add(stamp.producerId);
        };
        const { shipper, events } = setUp(
          {
            retry: { minMs: 1, maxMs: 1 },
            lingerMs: 0,
            batchMaxBytes: 2048,
            closeTimeoutMs: 300,
            beginAt,
          },
          broker,
        );
        const ends: Settlement[][] = [];
        const write = (partition: number): string => {
          const value = `${ends.length}:`;
          const own: Settlement[] = [];
          ends.push(own);
          const settle = (end: Settlement): void => void own.push(end);
          const record = { key: null, value, headers: [], timestamp: 0, level: null };
          shipper.write({ ...record, partition, settle });
          return value;
        };
        let fenced = false;
        let forgot = false;
        for (const one of steps) {
          if ('write' in one) for (let n = 0; n < one.write; n += 1) write(n % 2);
          else if ('writeInvalid' in one) invalid.add(write(0));
          else if ('forget' in one) {
            broker.partitions[one.forget]?.producers.clear();
            forgot = true;
          } else if ('fence' in one) {
            for (const state of broker.partitions[one.fence]?.producers.values() ?? []) {
              state.epoch += 1;
              state.batches = [];
              fenced = true;
            }
          } else await shipper.flush({ timeoutMs: 3 });
        }
        await shipper.close();
        const { possiblyRepeated, buffered, inFlight } = shipper.stats();
        expect([buffered, inFlight]).toEqual([0, 0]);
        expect(events.filter(({ code }) => code === 'INTERNAL_ERROR')).toEqual([]);
        expect(ends.filter((own) => own.length !== 1)).toEqual([]);
        const values = broker.values().map(numberOf);
        const stored = new Set(values);
        ends.flat().forEach((end, number) => {
          if (end.kind === 'acknowledged') expect(stored).toContain(number);
          else if (!end.error.possiblyDelivered) expect(stored).not.toContain(number);
          // Nothing but the record itself, or a fence, keeps one from its topic.
          if (end.kind === 'failed' && !fenced) expect(invalid).toContain(`${number}:`);
        });
        const doubted = events.some(({ code }) => code === 'POSSIBLY_REPEATED');
        // A broker without a memory of the producer takes a repeat for something new, and nobody can tell.
        if (possiblyRepeated === 0 && !doubted && !forgot) {
          expect(values).toHaveLength(stored.size);
          for (const { records } of broker.partitions) {
            const order = records.map(({ value }) => numberOf(value));
            expect(order).toEqual(order.toSorted((one, other) => one - other));
          }
        }
        if (events.some(({ code }) => code === 'PRODUCER_FENCED')) {
          expect(fenced).toBe(true);
          fencedRuns += 1;
        }
        if (ids.size > 1) renewedRuns += 1;
        runs += 1;
      },
    ),
    { numRuns: 300, interruptAfterTimeLimit: 15_000 },
  );
  expect(runs).toBeGreaterThanOrEqual(leastRuns);
  // The property is about these: a run without them would prove nothing.
  expect(fencedRuns).toBeGreaterThan(0);
  expect(renewedRuns).toBeGreaterThan(0);
}, 45_000);
