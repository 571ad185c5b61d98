import { expect, it } from 'vitest';
import { Shipper } from '../../../src/delivery/shipper.ts';
import { type DiagnosticEvent, Diagnostics } from '../../../src/diagnostics.ts';
import { type Fault, ModelBroker } from './model-broker.ts';

const line = {
  key: null,
  value: 'record',
  headers: [],
  timestamp: 1_700_000_000_000,
  level: 30,
  partition: null,
};

it.each<{ before: string; faults: Fault[] }>([
  { before: 'all went well', faults: [] },
  { before: 'an earlier failure has passed', faults: ['retriable', 'retriable'] },
])('a process that ends while all is well blames no failure: $before', async ({ faults }) => {
  const broker = new ModelBroker(1);
  broker.fault = () => faults.shift() ?? 'none';
  const events: DiagnosticEvent[] = [];
  const shipper = new Shipper({
    topic: 'logs',
    driver: broker,
    diagnostics: new Diagnostics((event) => events.push(event)),
    retry: { minMs: 1, maxMs: 2 },
    acks: 'all',
    lingerMs: 1,
    batchMaxRecords: 10,
    batchMaxBytes: 4096,
    bufferMaxBytes: 1 << 20,
    onOverflow: 'drop-oldest',
    closeTimeoutMs: 2_000,
    deadLetter: null,
    sourceHeaders: false,
  });
  shipper.write(line);
  expect(await shipper.flush()).toMatchObject({ acknowledged: 1, pending: 0 });
  shipper.write(line);
  shipper.giveUp();
  const [said = ''] = events.flatMap(({ code, message }) =>
    code === 'NOT_DELIVERED' ? [message] : [],
  );
  expect(said).toContain('not delivered at close: 1.');
  expect(said).toContain('no failure since the last acknowledgement');
});
