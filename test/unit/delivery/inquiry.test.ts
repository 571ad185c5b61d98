import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Shipper } from '../../../src/delivery/shipper.ts';
import { Diagnostics } from '../../../src/diagnostics.ts';
import { ModelBroker } from './model-broker.ts';

it('asks no more often than its back-off allows for a partition that the topic does not have', async () => {
  const broker = new ModelBroker(2);
  let tell = (): void => {};
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const shipper = new Shipper({
    topic: 'logs',
    driver: broker,
    diagnostics: new Diagnostics(({ code }) => {
      if (code === 'TOPIC_UNKNOWN') tell();
    }),
    retry: { minMs: 40, maxMs: 40 },
    acks: 'all',
    lingerMs: 0,
    batchMaxRecords: 10,
    batchMaxBytes: 4096,
    bufferMaxBytes: 1 << 20,
    onOverflow: 'drop-oldest',
    closeTimeoutMs: 1,
    deadLetter: null,
    sourceHeaders: false,
  });
  const record = { key: null, value: 'x', headers: [], timestamp: 0, level: null, partition: 9 };
  shipper.write(record);
  await told;
  const begun = performance.now();
  // The model answers within a turn of the event loop.
  for (let turn = 0; turn < 300; turn += 1) await sleep(0);
  // One in 20 ms on the average: four times as many are no chance.
  expect(broker.topologies).toBeLessThan((performance.now() - begun) / 5);
  await shipper.close();
});
