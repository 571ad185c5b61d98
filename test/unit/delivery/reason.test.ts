import { expect, it } from 'vitest';
import { type Fault, ModelBroker } from './model-broker.ts';
import { record, setUp } from './shipping.ts';

it.each<{ before: string; faults: Fault[] }>([
  { before: 'all went well', faults: [] },
  { before: 'an earlier failure has passed', faults: ['retriable', 'retriable'] },
])('a process that ends while all is well blames no failure: $before', async ({ faults }) => {
  const broker = new ModelBroker(1);
  broker.fault = () => faults.shift() ?? 'none';
  const { shipper, events } = setUp({}, broker);
  shipper.write(record('one'));
  expect(await shipper.flush()).toMatchObject({ acknowledged: 1, pending: 0 });
  shipper.write(record('one'));
  shipper.giveUp();
  const [said = ''] = events.flatMap(({ code, message }) =>
    code === 'NOT_DELIVERED' ? [message] : [],
  );
  expect(said).toContain('not delivered at close: 1.');
  expect(said).toContain('no failure since the last acknowledgement');
});

it('a process that another one has taken the place of says so, whatever is acknowledged since', async () => {
  const { broker, shipper, events } = setUp({}, new ModelBroker(4));
  await shipper.flush();
  // One request: of its two partitions one is fenced, and one takes its record.
  broker.script = ['fenced', undefined];
  shipper.write(record('one', { partition: 0 }));
  shipper.write(record('two', { partition: 2 }));
  await expect.poll(() => events.map(({ code }) => code)).toContain('PRODUCER_FENCED');
  await shipper.close({ timeoutMs: 1 });
  expect(events.at(-1)?.message).toContain('another process goes on under the same producer id');
});

it('a process that never heard of its topic does not blame a partition that records name', async () => {
  const broker = new ModelBroker(2);
  broker.topology = async () => ({ ok: false, code: null, message: 'no broker can be reached' });
  const { shipper, events } = setUp({}, broker);
  shipper.write(record('one', { partition: 1 }));
  await shipper.close({ timeoutMs: 20 });
  expect(events.map(({ code }) => code)).toEqual(['NOT_DELIVERED']);
  expect(events[0]?.message).toContain('Why: no broker can be reached');
});
