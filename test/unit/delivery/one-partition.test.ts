import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ModelBroker } from './model-broker.ts';
import { record, setUp } from './shipping.ts';

it('A full batch does not overtake records that came before the only partition was known', async () => {
  const broker = new ModelBroker(1);
  const { shipper } = setUp({ lingerMs: 10_000 }, broker);
  shipper.write(record('first'));
  // By then the partitions are known.
  while (broker.topologies === 0) await nextTurn();
  await nextTurn();
  shipper.write(record('x'.repeat(8_000)));
  while (broker.requests === 0) await nextTurn();
  shipper.write(record('last'));
  await shipper.close();
  expect(broker.values().map((value) => value.slice(0, 5))).toEqual(['first', 'xxxxx', 'last']);
});
