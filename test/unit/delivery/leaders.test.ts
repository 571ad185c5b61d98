import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Outcome } from '../../../src/delivery/driver.ts';
import { ModelBroker } from './model-broker.ts';
import { record, setUp } from './shipping.ts';

/** A topic of one partition; `leader` is asked for at each look at the metadata. */
function ledBy(leader: (lookup: number) => number): ModelBroker {
  const broker = new ModelBroker(1);
  broker.topology = async () => {
    await sleep(1);
    broker.topologies += 1;
    const partitions = [{ id: 0, leader: leader(broker.topologies) }];
    return { ok: true, value: { topicId: broker.topicId, partitions } };
  };
  broker.refusal = { staleTopology: true };
  return broker;
}

/** No attempt but the first comes by itself while a test runs. */
const never = { minMs: 1_000_000, maxMs: 1_000_000 };

describe('A new leader', () => {
  it('is looked for while the old one fails, and tried at once', async () => {
    const broker = ledBy((lookup) => (lookup < 4 ? 0 : 1));
    const { shipper } = setUp({ retry: never }, broker);
    await shipper.flush();
    broker.fault = () => (broker.topologies < 4 ? 'retriable' : 'none');
    shipper.write(record('one'));
    await vi.waitFor(() => expect(broker.values()).toEqual(['one']), { timeout: 5_000 });
    await shipper.close();
  });

  it('is tried at once where it was learnt while the old one had still to answer', async () => {
    let leader = 0;
    const broker = ledBy(() => leader);
    const { shipper } = setUp({ retry: never }, broker);
    const send = broker.send.bind(broker);
    broker.send = async (to, parts) => {
      if (to === 1) return send(to, parts);
      const known = broker.topologies;
      leader = 1;
      // Another look at the metadata comes back before the old leader's answer.
      shipper.write(record('for a partition that is missing', { partition: 9 }));
      await vi.waitFor(() => expect(broker.topologies).toBeGreaterThan(known));
      await sleep(10);
      return parts.map((): Outcome => ({ kind: 'unknown', code: null, message: 'no answer' }));
    };
    shipper.write(record('one'));
    await vi.waitFor(() => expect(broker.values()).toEqual(['one']), { timeout: 5_000 });
    await shipper.close({ timeoutMs: 1 });
  });

  it('is not tried again and again without a pause where brokers disagree about it', async () => {
    const broker = ledBy((lookup) => lookup % 2);
    broker.fault = () => 'retriable';
    const { shipper } = setUp({ retry: { minMs: 100, maxMs: 10_000 } }, broker);
    shipper.write(record('one'));
    await sleep(1_000);
    expect(broker.requests).toBeLessThan(30);
    await shipper.close({ timeoutMs: 1 });
  });

  it('is not looked for any more once the record that failed is set aside', async () => {
    const broker = new ModelBroker(1);
    const { shipper, events } = setUp({}, broker);
    broker.refusal = { staleTopology: true };
    broker.script = ['retriable', 'invalid'];
    shipper.write(record('one'));
    await shipper.flush();
    expect(events.map(({ code }) => code)).toEqual(['RECORD_INVALID']);
    const lookups = broker.topologies;
    await sleep(300);
    expect(broker.topologies - lookups).toBeLessThan(3);
    await shipper.close();
  });
});

describe('A partition without a leader', () => {
  it('is asked for ever more seldom where no record waits for it', async () => {
    const broker = new ModelBroker(2);
    broker.leaderless = new Set([1]);
    const { shipper } = setUp({ retry: { minMs: 100, maxMs: 10_000 } }, broker);
    for (let i = 0; i < 10; i += 1) {
      shipper.write(record(String(i), { partition: 0 }));
      await sleep(100);
    }
    expect(broker.topologies).toBeLessThan(15);
    await shipper.close();
  });

  it('is named where records wait for it, and at close', async () => {
    const broker = new ModelBroker(2);
    broker.leaderless = new Set([1]);
    const { shipper, events } = setUp({}, broker);
    shipper.write(record('one', { partition: 0 }));
    shipper.write(record('two', { partition: 1 }));
    await expect
      .poll(() => events.map(({ code }) => code), { timeout: 6_000 })
      .toContain('BROKER_ERROR');
    expect(events[0]?.message).toContain('Partition 1 of topic logs has no leader');
    await shipper.close({ timeoutMs: 1 });
    expect(events.at(-1)?.message).toContain('Why: Partition 1 of topic logs has no leader');
  });
});

describe('A partition that the topic does not have', () => {
  it('is asked for no more often than the back-off allows, and named once', async () => {
    const broker = new ModelBroker(2);
    const { shipper, events } = setUp({ retry: { minMs: 40, maxMs: 40 } }, broker);
    shipper.write(record('one', { partition: 9 }));
    await expect.poll(() => events.map(({ code }) => code)).toEqual(['TOPIC_UNKNOWN']);
    const begun = performance.now();
    const lookups = broker.topologies;
    // The model answers within a turn of the event loop.
    for (let turn = 0; turn < 300; turn += 1) await sleep(0);
    // One in 20 ms on the average: four times as many are no chance.
    expect(broker.topologies - lookups).toBeLessThan((performance.now() - begun) / 5);
    await shipper.close({ timeoutMs: 1 });
    expect(events.map(({ code }) => code)).toEqual(['TOPIC_UNKNOWN', 'NOT_DELIVERED']);
    expect(events.at(-1)?.message).toContain('Why: Topic logs has no partition 9');
  });

  it('hides no news of the others', async () => {
    const broker = new ModelBroker(1);
    const { shipper, events } = setUp({}, broker);
    const codes = (): string[] => events.map(({ code }) => code);
    shipper.write(record('one', { partition: 9 }));
    await expect.poll(codes).toContain('TOPIC_UNKNOWN');
    broker.refusal = { code: 'BROKER_ERROR' };
    broker.script = Array.from({ length: 8 }, () => 'retriable' as const);
    shipper.write(record('two', { partition: 0 }));
    await expect.poll(() => shipper.stats().acknowledged).toBe(1);
    shipper.write(record('three', { partition: 0 }));
    await expect.poll(() => shipper.stats().acknowledged).toBe(2);
    expect(codes().filter((code) => code === 'DELIVERY_RESUMED')).toHaveLength(1);
    await shipper.close({ timeoutMs: 1 });
  });
});
