import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Settlement } from '../../../src/delivery/record.ts';
import type { Shipper, ShipperOptions } from '../../../src/delivery/shipper.ts';
import { Diagnostics } from '../../../src/diagnostics.ts';
import { ModelBroker } from './model-broker.ts';
import { record, setUp } from './shipping.ts';

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
const ascending = (values: readonly string[]): string[] =>
  [...values].sort((one, other) => Number(one) - Number(other));

const hour = 3_600_000;

/** Each request's fate, from a list; then none fails. */
const faults =
  <T>(...list: T[]): (() => T | 'none') =>
  () =>
    list.shift() ?? 'none';

/** Nothing leaves the buffer. */
function silentBroker(): ModelBroker {
  const broker = new ModelBroker(1);
  broker.topology = () => new Promise(() => {});
  return broker;
}

/** Answers how many records were encoded since, those that were encoded anew each time. */
function countEncoded(broker: ModelBroker): () => number {
  let count = 0;
  const newBatch = broker.newBatch.bind(broker);
  broker.newBatch = () => {
    const batch = newBatch();
    const append = batch.append.bind(batch);
    batch.append = (one) => {
      count += 1;
      append(one);
    };
    return batch;
  };
  return () => count;
}

function balance({ shipper }: { shipper: Shipper }): void {
  const stats = shipper.stats();
  const { acknowledged, dropped, filtered, deadLettered, unresolved, buffered, inFlight } = stats;
  expect(acknowledged + dropped + filtered + deadLettered + unresolved + buffered + inFlight).toBe(
    stats.written,
  );
}

describe('a shipper', () => {
  it('delivers every record once, and keeps the order within a partition', async () => {
    const { broker, shipper } = setUp();
    for (const value of numbers(1_000)) shipper.write(record(value));
    expect(await shipper.close()).toMatchObject({ acknowledged: 1_000, pending: 0 });
    expect(ascending(broker.values())).toEqual(numbers(1_000));
    for (const { records } of broker.partitions) {
      const values = records.map(({ value }) => value);
      expect(values).toEqual(ascending(values));
      expect(values.length).toBeGreaterThan(0);
    }
    expect(broker.closed).toBe(true);
  });

  it('sends the same batch under the same stamp until it is answered', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    broker.fault = faults('answer lost', 'answer lost', 'request lost', 'retriable');
    for (const value of numbers(35)) shipper.write(record(value));
    expect(await shipper.close()).toMatchObject({ acknowledged: 35, pending: 0 });
    expect(broker.values()).toEqual(numbers(35));
    expect(shipper.stats()).toMatchObject({ possiblyRepeated: 0, retries: 4 });
  });

  it('tells each record where it was stored', async () => {
    const { shipper } = setUp({}, new ModelBroker(1));
    const settlements: Settlement[] = [];
    for (const value of numbers(12)) {
      shipper.write(record(value, { settle: (settlement) => settlements.push(settlement) }));
    }
    await shipper.flush();
    expect(settlements.map((one) => one.kind === 'acknowledged' && one.offset)).toEqual(
      numbers(12).map(BigInt),
    );
    await shipper.close();
  });

  it('goes on over the end of the sequences and of the epochs', async () => {
    const broker = new ModelBroker(1);
    const { shipper } = setUp({ beginAt: { epoch: 32_767, sequence: 2 ** 31 - 15 } }, broker);
    for (const value of numbers(40)) shipper.write(record(value));
    await shipper.flush();
    expect(broker.values()).toEqual(numbers(40));
    // A record refused for good ends its epoch, and there is none after this one.
    broker.invalid = new Set(['bad']);
    shipper.write(record('bad'));
    await shipper.flush();
    for (const value of ['40', '41']) shipper.write(record(value));
    await shipper.close();
    expect(broker.values()).toEqual(numbers(42));
    expect(broker.partitions[0]?.producers.size).toBe(2);
  });

  it('splits a batch that is too large, says so once, and each half keeps its part of the stamp', async () => {
    const broker = new ModelBroker(1);
    const { shipper, events } = setUp({}, broker);
    broker.maxBytes = 61 + 3 * 23;
    for (const value of numbers(30)) shipper.write(record(value));
    await shipper.flush();
    for (const value of numbers(30)) shipper.write(record(value));
    await shipper.close();
    expect(broker.values()).toEqual([...numbers(30), ...numbers(30)]);
    expect(events.map(({ code }) => code)).toEqual(['BATCH_TOO_LARGE']);
    expect([...(broker.partitions[0]?.producers.values() ?? [])]).toMatchObject([{ epoch: 0 }]);
  });

  it('sets the records aside that no broker will take, and delivers their neighbours', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dead-'));
    const { broker, shipper, events } = setUp({ deadLetter: directory }, new ModelBroker(1));
    broker.maxBytes = 1000;
    broker.invalid = new Set(['7']);
    const huge = 'x'.repeat(2000);
    for (const value of ['0', huge, ...numbers(20).slice(1)]) shipper.write(record(value));
    await shipper.close();
    expect(broker.values()).toEqual(numbers(20).filter((value) => value !== '7'));
    expect(shipper.stats()).toMatchObject({ deadLettered: 2, acknowledged: 19, dropped: 0 });
    const [file = ''] = readdirSync(directory);
    const lines = readFileSync(join(directory, file), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { reason: 'RECORD_TOO_LARGE', topic: 'logs', partition: 0, record: { value: huge } },
      { reason: 'RECORD_INVALID', record: { value: '7' }, stamp: { epoch: expect.any(Number) } },
    ]);
    expect(events.map(({ code }) => code)).toEqual(['RECORD_TOO_LARGE', 'RECORD_INVALID']);
    rmSync(directory, { recursive: true });
  });

  it('proves a batch stored whose size now forbids to send it again', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    broker.fault = faults('answer lost');
    broker.onSend = () => {
      if (broker.partitions[0]?.records.length === 10) broker.maxBytes = 150;
    };
    for (const value of numbers(10)) shipper.write(record(value));
    expect(await shipper.flush({ timeoutMs: 50 })).toMatchObject({ acknowledged: 0, pending: 10 });
    shipper.write(record('10'));
    await shipper.close();
    expect(broker.values()).toEqual(numbers(11));
    expect(shipper.stats()).toMatchObject({ acknowledged: 11, possiblyRepeated: 0 });
  });

  it('moves times back an hour at a time for a broker that finds them too far ahead', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    const now = Date.now();
    broker.latestTime = now - 2.5 * hour;
    const times: number[] = [];
    const settle = (end: Settlement): void =>
      void (end.kind === 'acknowledged' && times.push(end.timestamp));
    shipper.write(record('late', { timestamp: now, settle }));
    await shipper.close();
    expect(times).toEqual([now - 3 * hour]);
  });

  it('moves back the times alone that the broker names', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    const now = Date.now();
    broker.script = ['clock'];
    broker.refusal = { recordIndexes: [1] };
    const times: number[] = [];
    const settle = (end: Settlement): void =>
      void (end.kind === 'acknowledged' && times.push(end.timestamp));
    for (const value of numbers(3)) shipper.write(record(value, { timestamp: now, settle }));
    await shipper.close();
    expect(times).toEqual([now, now - hour, now]);
    expect(broker.values()).toEqual(numbers(3));
  });

  it('gives up a record whose time the broker finds too old, and it alone', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(1));
    broker.script = ['clock'];
    broker.refusal = { recordIndexes: [2] };
    const old = Date.now() - 1_000 * hour;
    for (const value of numbers(5)) {
      shipper.write(record(value, { timestamp: value === '2' ? old : Date.now() }));
    }
    await shipper.close();
    expect(broker.values()).toEqual(['0', '1', '3', '4']);
    expect(events.map(({ code }) => code)).toEqual(['RECORD_INVALID', 'NOT_DELIVERED']);
  });

  it('takes up new partitions, and keeps keyed records in the order of their key', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(2));
    for (const value of numbers(200))
      shipper.write(record(value, { key: `k${Number(value) % 7}` }));
    await shipper.flush();
    const partitionsOf = (key: string): number[] =>
      broker.partitions.flatMap(({ records }, id) =>
        records.some((one) => one.key === key) ? [id] : [],
      );
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6']) {
      expect(partitionsOf(key)).toHaveLength(1);
    }
    for (const { records } of broker.partitions) {
      for (const key of new Set(records.map((one) => one.key))) {
        const values = records.filter((one) => one.key === key).map(({ value }) => value);
        expect(values).toEqual(ascending(values));
      }
    }
    await shipper.close();
  });

  it('gives the records of a partition that is gone to the topic made again', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(4));
    await shipper.flush();
    broker.fault = () => 'request lost';
    for (const value of numbers(100)) shipper.write(record(value, { key: value }));
    await shipper.flush({ timeoutMs: 20 });
    broker.recreate(2);
    await shipper.flush({ timeoutMs: 20 });
    broker.fault = () => 'none';
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(100));
    expect(events.map(({ code }) => code)).toContain('TOPIC_RECREATED');
    balance({ shipper });
  });

  it('says when records are acknowledged again: once, and not before every lane is well', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(2));
    const codes = (): string[] => events.map(({ code }) => code);
    broker.refusal = { code: 'BROKER_ERROR' };
    broker.fault = ({ partition }) => (partition === 0 ? 'retriable' : 'none');
    for (const partition of [0, 1]) shipper.write(record('first', { partition }));
    await expect.poll(codes).toContain('BROKER_ERROR');
    shipper.write(record('second', { partition: 1 }));
    await expect.poll(() => shipper.stats().acknowledged).toBe(2);
    expect(codes()).not.toContain('DELIVERY_RESUMED');
    broker.fault = () => 'none';
    await shipper.flush();
    shipper.write(record('third', { partition: 0 }));
    await shipper.close();
    expect(events.filter(({ code }) => code === 'DELIVERY_RESUMED')).toMatchObject([
      { event: 'connected', detail: { topic: 'logs', waiting: 0 } },
    ]);
  });

  it('says so also where a trouble ended in a refusal', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(2));
    broker.refusal = { code: 'REQUEST_TIMED_OUT' };
    broker.script = ['unknown', 'unknown', 'invalid'];
    shipper.write(record('invalid', { partition: 0 }));
    await shipper.flush();
    shipper.write(record('valid', { partition: 1 }));
    await shipper.close();
    const codes = events.map(({ code }) => code);
    expect(codes).toEqual([
      'REQUEST_TIMED_OUT',
      'REQUEST_TIMED_OUT',
      'RECORD_INVALID',
      'DELIVERY_RESUMED',
      'NOT_DELIVERED',
    ]);
  });

  it('says so where records waited for a partition, and not before it is there', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(1));
    const codes = (): string[] => events.map(({ code }) => code);
    shipper.write(record('first', { partition: 1 }));
    await expect.poll(codes).toContain('TOPIC_UNKNOWN');
    shipper.write(record('second', { partition: 0 }));
    await expect.poll(() => shipper.stats().acknowledged).toBe(1);
    expect(codes()).not.toContain('DELIVERY_RESUMED');
    broker.addPartitions(1);
    await shipper.close();
    expect(codes().filter((code) => code === 'DELIVERY_RESUMED')).toHaveLength(1);
  });

  it('does not speak of a trouble that held no record up', async () => {
    const events: string[] = [];
    const diagnostics = new Diagnostics(({ code }) => events.push(code));
    const { broker, shipper } = setUp({ diagnostics }, new ModelBroker(1));
    diagnostics.emit('TOKEN_ENDPOINT_UNAVAILABLE', 'The present token serves.');
    shipper.write(record('first'));
    await shipper.flush();
    broker.fault = faults('retriable');
    shipper.write(record('second'));
    await shipper.close();
    expect(events).toEqual(['TOKEN_ENDPOINT_UNAVAILABLE']);
  });

  it('does not speak of the end of a trouble that nobody was told of', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(1));
    broker.fault = faults('retriable', 'answer lost');
    for (const value of numbers(20)) shipper.write(record(value));
    await shipper.close();
    expect(events).toEqual([]);
  });

  it('keeps within its bound by giving up the oldest', async () => {
    const { broker, shipper, events } = setUp({ bufferMaxBytes: 10_000, batchMaxBytes: 1024 });
    broker.fault = () => 'retriable';
    for (const value of numbers(5_000)) {
      shipper.write(record(value));
      expect(shipper.stats().bufferedBytes).toBeLessThanOrEqual(10_000);
    }
    balance({ shipper });
    broker.fault = () => 'none';
    await shipper.close();
    const { dropped, acknowledged } = shipper.stats();
    expect(dropped + acknowledged).toBe(5_000);
    expect(broker.values()).toContain('4999');
    expect(new Set(broker.values()).size).toBe(acknowledged);
    expect(events.map(({ code }) => code)).toContain('BUFFER_FULL');
  });

  it('gives up debug before info before error where it is told to', async () => {
    const { broker, shipper } = setUp({
      bufferMaxBytes: 20_000,
      batchMaxBytes: 2048,
      onOverflow: 'drop-lowest-level',
    });
    broker.fault = () => 'retriable';
    const levels = [20, 30, 50];
    for (const value of numbers(1_200)) {
      shipper.write(record(value, { level: levels[Number(value) % 3] ?? null }));
    }
    balance({ shipper });
    broker.fault = () => 'none';
    await shipper.close();
    const { droppedByLevel } = shipper.stats();
    expect(droppedByLevel['20']).toBeGreaterThan(droppedByLevel['30'] ?? 0);
    expect(droppedByLevel['30']).toBeGreaterThan(droppedByLevel['50'] ?? 0);
    expect(new Set(broker.values()).size).toBe(shipper.stats().acknowledged);
  });

  it('says once what close could not deliver, and keeps it where there is a directory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dead-'));
    const { broker, shipper, events } = setUp({ deadLetter: directory });
    broker.fault = () => 'refused';
    for (const value of numbers(25)) shipper.write(record(value));
    expect(await shipper.close({ timeoutMs: 30 })).toMatchObject({ pending: 25, acknowledged: 0 });
    balance({ shipper });
    expect(shipper.stats()).toMatchObject({ unresolved: 25, buffered: 0, inFlight: 0 });
    expect(events).toMatchObject([{ code: 'NOT_DELIVERED', detail: { records: 25, kept: 25 } }]);
    const [file = ''] = readdirSync(directory);
    expect(readFileSync(join(directory, file), 'utf8').trim().split('\n')).toHaveLength(25);
    rmSync(directory, { recursive: true });
  });

  it('is at least once, and says so, where the broker gives no producer id', async () => {
    const broker = new ModelBroker(1);
    broker.givesProducerIds = false;
    const { shipper, events } = setUp({}, broker);
    broker.fault = faults('answer lost');
    shipper.write(record('0'));
    await shipper.close();
    expect(broker.values()).toEqual(['0', '0']);
    expect(shipper.stats()).toMatchObject({ acknowledged: 1, possiblyRepeated: 1 });
    expect(events.map(({ code }) => code)).toEqual(['IDEMPOTENCE_DENIED', 'POSSIBLY_REPEATED']);
  });

  it('tells whoever waits longer than the delivery timeout, and delivers all the same', async () => {
    const { broker, shipper } = setUp({ deliveryTimeoutMs: 20 }, new ModelBroker(1));
    broker.fault = () => 'request lost';
    const ends: Settlement[] = [];
    for (const value of numbers(15)) {
      shipper.write(record(value, { settle: (end) => ends.push(end) }));
    }
    await new Promise<void>((resolve) => {
      const look = setInterval(() => {
        if (ends.length < 15) return;
        clearInterval(look);
        resolve();
      }, 5);
    });
    const possibly = ends.filter((end) => end.kind === 'failed' && end.error.possiblyDelivered);
    expect(possibly).toHaveLength(10);
    broker.fault = () => 'none';
    await shipper.close();
    expect(broker.values()).toEqual(numbers(10));
    expect(shipper.stats()).toMatchObject({ dropped: 5, acknowledged: 10 });
  });

  it('gives up records that expire one after the other several at a time', async () => {
    const options = { deliveryTimeoutMs: 300, batchMaxRecords: 1_000, batchMaxBytes: 1 << 20 };
    const { broker, shipper } = setUp(options, silentBroker());
    const encoded = countEncoded(broker);
    let waiting = 0;
    const late: number[] = [];
    const settle = (due: number) => (): void => {
      waiting -= 1;
      late.push(performance.now() - due);
    };
    await new Promise<void>((resolve) => {
      const write = setInterval(() => {
        waiting += 1;
        shipper.write(record('x', { settle: settle(performance.now() + 300) }));
        if (late.length < 300) return;
        clearInterval(write);
        resolve();
      }, 1);
    });
    // Each could be encoded anew for each that goes before it: 300 times 300.
    expect(encoded()).toBeLessThan(12_000);
    expect(Math.min(...late)).toBeGreaterThan(-1);
    await shipper.close({ timeoutMs: 0 });
    expect(waiting).toBe(0);
  });

  it('says at the end how many it dropped, whatever was said before', async () => {
    const { broker, shipper, events } = setUp({ bufferMaxBytes: 10_000, batchMaxBytes: 1024 });
    broker.fault = () => 'retriable';
    for (const value of numbers(2_000)) shipper.write(record(value));
    broker.fault = () => 'none';
    await shipper.close();
    const { dropped } = shipper.stats();
    expect(dropped).toBeGreaterThan(1_000);
    expect(events.at(-1)).toMatchObject({
      code: 'NOT_DELIVERED',
      detail: { records: 0, dropped },
      message: `Records for topic logs not delivered at close: 0. Dropped before: ${dropped}.`,
    });
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 40, -1, Number.NaN])(
    'waits at close for what takes a while, with a time-out of %d',
    async (timeoutMs) => {
      const { broker, shipper } = setUp({ retry: { minMs: 10, maxMs: 20 } });
      broker.fault = faults('retriable', 'retriable', 'retriable', 'retriable');
      for (const value of numbers(20)) shipper.write(record(value));
      expect(await shipper.close({ timeoutMs })).toMatchObject({ acknowledged: 20, pending: 0 });
    },
  );

  it('takes a time-out that is none for the one of the options', async () => {
    const { broker, shipper } = setUp({ closeTimeoutMs: 20 });
    broker.fault = () => 'retriable';
    shipper.write(record('0'));
    for (const timeoutMs of [Number.NaN, -1, undefined]) {
      expect(await shipper.flush(timeoutMs === undefined ? {} : { timeoutMs })).toMatchObject({
        pending: 1,
      });
    }
    await shipper.close();
  });

  it('counts a record that is too large to be taken, and says so', async () => {
    const { shipper, events } = setUp();
    shipper.tooLarge(40, 'A line of more than 10 characters was dropped.');
    balance({ shipper });
    expect(shipper.stats()).toMatchObject({ written: 1, dropped: 1, droppedByLevel: { 40: 1 } });
    expect(events).toMatchObject([{ code: 'RECORD_TOO_LARGE', event: 'dead-letter' }]);
    await shipper.close();
  });

  it('waits for no back-off once it is closed', async () => {
    const { broker, shipper } = setUp({ retry: { minMs: 60_000, maxMs: 60_000 } });
    await shipper.flush();
    broker.fault = faults('retriable', 'retriable', 'retriable');
    shipper.write(record('0'));
    await new Promise<void>((resolve) => {
      broker.onSend = () => resolve();
    });
    expect(await shipper.close()).toMatchObject({ acknowledged: 1, pending: 0 });
  });

  it('says what is left before it waits for connections to close', async () => {
    const { broker, shipper, events } = setUp();
    broker.fault = () => 'retriable';
    broker.close = () => new Promise(() => {});
    shipper.write(record('0'));
    void shipper.close({ timeoutMs: 20 });
    await expect.poll(() => events.map(({ code }) => code)).toEqual(['NOT_DELIVERED']);
  });

  it('gives up at once where the process ends at once', async () => {
    const { broker, shipper, events } = setUp();
    broker.fault = () => 'retriable';
    for (const value of numbers(20)) shipper.write(record(value));
    shipper.giveUp();
    expect(shipper.stats()).toMatchObject({ unresolved: 20, buffered: 0, inFlight: 0 });
    expect(events.map(({ code }) => code)).toEqual(['NOT_DELIVERED']);
    expect(await shipper.close()).toMatchObject({ pending: 0 });
  });

  it('counts what comes after close', async () => {
    const { shipper } = setUp();
    await shipper.close();
    shipper.write(record('late'));
    balance({ shipper });
    expect(shipper.stats()).toMatchObject({ written: 1, dropped: 1 });
  });

  it('gives each record its source and number where asked to', async () => {
    const { broker, shipper } = setUp({ sourceHeaders: true }, new ModelBroker(1));
    const headers: unknown[] = [];
    broker.onSend = (parts) => {
      for (const part of parts) headers.push(...part.batch.records().map((one) => one.headers));
    };
    shipper.write(record('0'));
    shipper.write(record('1'));
    await shipper.close();
    expect(headers).toEqual(
      ['0', '1'].map((sequence) => [
        ['source-id', shipper.sourceId],
        ['source-seq', sequence],
      ]),
    );
  });
});

describe('a stamp in doubt', () => {
  it('loses nothing where a leader that showed a batch as stored is followed by one that has not', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    // Stored; then one that its leader shows as stored, and one after it, of which a new leader knows nothing.
    broker.script = [undefined, 'unknown', 'tooLarge', 'unknown', 'tooLarge'];
    let asked = 0;
    broker.known = ({ stamp, batch }) => {
      asked += 1;
      if (asked > 1) return { epoch: 0, lastSequence: 9 };
      return { epoch: 0, lastSequence: (stamp?.baseSequence ?? 0) + batch.count - 1 };
    };
    for (const value of numbers(30)) shipper.write(record(value));
    expect(await shipper.close()).toMatchObject({ acknowledged: 30, pending: 0 });
    expect(broker.values()).toEqual(numbers(30));
  });

  it('is settled by a later attempt where nothing comes that could prove the batch stored', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    broker.script = ['lost', 'tooLarge'];
    shipper.write(record('0'));
    expect(await shipper.close()).toMatchObject({ acknowledged: 1, pending: 0 });
    expect(broker.values()).toEqual(['0']);
  });

  it('is not settled by a topic that was made again', async () => {
    const { broker, shipper } = setUp({ batchMaxRecords: 1 }, new ModelBroker(1));
    broker.script = ['lost', 'tooLarge', 'retriable'];
    broker.refusal = { staleTopology: true };
    broker.onSend = () => {
      // The first record is held by now; the second one finds the topic made again.
      if (broker.requests === 3) broker.recreate(1);
    };
    for (const value of numbers(2)) shipper.write(record(value));
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(2));
  });

  it.each(['tooLarge', 'invalid'] as const)(
    'leaves it open whether a single record was delivered that is %s after an attempt without an answer',
    async (refusal) => {
      const { broker, shipper } = setUp({}, new ModelBroker(1));
      broker.mayDescribe = false;
      broker.script = ['lost', refusal];
      const ends: Settlement[] = [];
      shipper.write(record('0', { settle: (end) => ends.push(end) }));
      await shipper.close();
      expect(ends).toMatchObject([{ kind: 'failed', error: { possiblyDelivered: true } }]);
    },
  );

  it('holds up no other lane while the leader is slow to say what it knows', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(3));
    broker.script = ['sequenceLost'];
    let answer = (): void => {};
    broker.knowing = new Promise((resolve) => {
      answer = resolve;
    });
    for (const value of numbers(90)) shipper.write(record(value));
    expect(await shipper.flush({ timeoutMs: 200 })).toMatchObject({ pending: 10 });
    answer();
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(90));
  });

  it('settles nothing after close, even where the leader answers then', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    broker.script = ['unknown', 'tooLarge'];
    let answer = (): void => {};
    broker.knowing = new Promise((resolve) => {
      answer = resolve;
    });
    shipper.write(record('0'));
    await shipper.close({ timeoutMs: 20 });
    answer();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(shipper.stats()).toMatchObject({ unresolved: 1, acknowledged: 0, inFlight: 0 });
  });

  it('counts a record that may be repeated once, however often it was sent', async () => {
    const { broker, shipper } = setUp({ acks: 1 }, new ModelBroker(1));
    broker.script = ['unknown', 'unknown', 'unknown'];
    shipper.write(record('0'));
    await shipper.close();
    expect(shipper.stats()).toMatchObject({ acknowledged: 1, possiblyRepeated: 1 });
  });
});

describe('topology', () => {
  it('does not let keyed records of the first moment wait for the linger at close', async () => {
    const { broker, shipper } = setUp({ lingerMs: 60_000 });
    shipper.write(record('0', { key: 'k' }));
    expect(await shipper.close()).toMatchObject({ acknowledged: 1, pending: 0 });
    expect(broker.values()).toEqual(['0']);
  });

  it('keeps a record for the partition that it names, even where the topic is made again smaller', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(4));
    await shipper.flush();
    broker.fault = () => 'request lost';
    shipper.write(record('0', { partition: 3 }));
    await shipper.flush({ timeoutMs: 20 });
    broker.recreate(2);
    await shipper.flush({ timeoutMs: 50 });
    broker.fault = () => 'none';
    expect(await shipper.flush({ timeoutMs: 50 })).toMatchObject({ pending: 1 });
    broker.addPartitions(2);
    await shipper.close();
    expect(broker.partitions[3]?.records.map(({ value }) => value)).toEqual(['0']);
  });

  it('is not taken in by a broker that still tells of the old topic', async () => {
    const { broker, shipper, events } = setUp({}, new ModelBroker(3));
    await shipper.flush();
    const old = await broker.topology();
    broker.recreate(5);
    const ask = broker.topology.bind(broker);
    let turn = 0;
    broker.topology = async () => {
      turn += 1;
      return turn % 2 === 0 ? old : ask();
    };
    broker.refusal = { staleTopology: true };
    for (const value of numbers(400)) {
      if (Number(value) % 20 === 0) broker.script.push('lost');
      shipper.write(record(value));
    }
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(400));
    expect(events.filter(({ code }) => code === 'TOPIC_RECREATED').length).toBeLessThan(2);
  });

  it('asks ever more seldom while a partition has no leader, and delivers to the others', async () => {
    const broker = new ModelBroker(3);
    broker.leaderless = new Set([2]);
    const { shipper } = setUp({ retry: { minMs: 50, maxMs: 10_000 } }, broker);
    for (const value of numbers(100)) shipper.write(record(value));
    await shipper.flush();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(broker.topologies).toBeLessThan(20);
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(100));
  });

  it('keeps the order of all records in a topic of one partition, with and without keys', async () => {
    const { broker, shipper } = setUp({}, new ModelBroker(1));
    await shipper.flush();
    shipper.write(record('first'));
    await shipper.flush();
    for (const value of numbers(100)) {
      shipper.write(record(value, { key: Number(value) % 2 === 0 ? 'k' : null }));
    }
    await shipper.close();
    expect(broker.values()).toEqual(['first', ...numbers(100)]);
  });

  it('lets lanes go on while one of them waits for a new producer id', async () => {
    const broker = new ModelBroker(2);
    const { shipper } = setUp({ beginAt: { epoch: 32_767, sequence: 0 } }, broker);
    await shipper.flush();
    broker.invalid = new Set(['bad']);
    shipper.write(record('bad', { partition: 0 }));
    const never = new Promise<never>(() => {});
    broker.initProducerId = () => never;
    await shipper.flush({ timeoutMs: 100 });
    for (const value of numbers(50)) shipper.write(record(value, { partition: 1 }));
    expect(await shipper.flush()).toMatchObject({ acknowledged: 50, pending: 0 });
    await shipper.close();
  });
});

describe('the buffer', () => {
  it('gives up a record that is larger than all of it, and no other', async () => {
    const { broker, shipper } = setUp({ bufferMaxBytes: 50_000 });
    broker.fault = () => 'retriable';
    for (const value of numbers(500)) shipper.write(record(value));
    shipper.write(record('x'.repeat(60_000)));
    expect(shipper.stats()).toMatchObject({ dropped: 1 });
    broker.fault = () => 'none';
    await shipper.close();
    expect(ascending(broker.values())).toEqual(numbers(500));
  });

  it('gives way by level in its order, and encodes little anew for one log call', () => {
    const options: Partial<ShipperOptions> = {
      bufferMaxBytes: 2 << 20,
      batchMaxRecords: 100,
      batchMaxBytes: 128 << 10,
      onOverflow: 'drop-lowest-level',
    };
    const { broker, shipper } = setUp(options, silentBroker());
    const encoded = countEncoded(broker);
    const levels = [10, 20, null, 50];
    const written = levels.map(() => 0);
    const dropped = (): number[] => {
      const { droppedByLevel } = shipper.stats();
      return levels.map((level) => droppedByLevel[String(level ?? 'unknown')] ?? 0);
    };
    let before = dropped();
    for (let count = 0; count < 12_000; count += 1) {
      const which = count % levels.length;
      const soFar = encoded();
      shipper.write(record('x'.repeat(1_000), { level: levels[which] ?? null }));
      written[which] = (written[which] ?? 0) + 1;
      expect(encoded() - soFar).toBeLessThan(200);
      const now = dropped();
      const highest = now.findLastIndex((sum, index) => sum > (before[index] ?? 0));
      // None of a lower level waits any more.
      if (highest > 0) expect(now.slice(0, highest)).toEqual(written.slice(0, highest));
      before = now;
    }
    expect(before.every((sum) => sum > 0)).toBe(true);
    balance({ shipper });
    shipper.giveUp();
  });

  it('gives up a lesser record at once where all that waits is worse', () => {
    const options: Partial<ShipperOptions> = {
      bufferMaxBytes: 1 << 20,
      batchMaxRecords: 100,
      batchMaxBytes: 1 << 20,
      onOverflow: 'drop-lowest-level',
    };
    const { broker, shipper } = setUp(options, silentBroker());
    const text = 'x'.repeat(1_000);
    while (shipper.stats().bufferedBytes < (1 << 20) - 1_000) {
      shipper.write(record(text, { level: 50 }));
    }
    const encoded = countEncoded(broker);
    for (let count = 0; count < 500; count += 1) shipper.write(record(text, { level: 30 }));
    expect(shipper.stats().droppedByLevel).toEqual({ 30: 500 });
    // Once each, and the batch that the first of them had gone into.
    expect(encoded()).toBeLessThan(610);
    shipper.giveUp();
  });

  it('is not filled by flushes: a batch goes on filling until a lane takes it', async () => {
    const { broker, shipper } = setUp({ batchMaxRecords: 1_000, batchMaxBytes: 1 << 20 });
    let made = 0;
    const newBatch = broker.newBatch.bind(broker);
    broker.newBatch = () => {
      made += 1;
      return newBatch();
    };
    broker.fault = () => 'retriable';
    const flushes = numbers(2_000).map((value) => {
      shipper.write(record(value));
      return shipper.flush();
    });
    expect(made).toBeLessThan(20);
    broker.fault = () => 'none';
    await Promise.all(flushes);
    expect(ascending(broker.values())).toEqual(numbers(2_000));
    await shipper.close();
  });

  it('tries larger batches again after a limit was met', async () => {
    const { broker, shipper } = setUp({ batchMaxRecords: 1_000, batchMaxBytes: 20_000 });
    broker.maxBytes = 2_000;
    for (const value of numbers(2_000)) shipper.write(record(value));
    await shipper.flush();
    broker.maxBytes = Number.POSITIVE_INFINITY;
    let largest = 0;
    broker.onSend = (parts) => {
      for (const { batch } of parts) largest = Math.max(largest, batch.bytes);
    };
    for (let round = 0; round < 20; round += 1) {
      for (const value of numbers(2_000)) shipper.write(record(value));
      await shipper.flush();
    }
    expect(largest).toBeGreaterThan(10_000);
    await shipper.close();
  });

  it('is rid at once of the records that the broker names as invalid', async () => {
    const { broker, shipper } = setUp({ batchMaxRecords: 100 }, new ModelBroker(1));
    broker.script = ['invalid'];
    broker.refusal = { recordIndexes: [3, 7] };
    for (const value of numbers(100)) shipper.write(record(value));
    await shipper.close();
    expect(broker.values()).toEqual(numbers(100).filter((value) => value !== '3' && value !== '7'));
    expect(broker.requests).toBe(2);
  });
});
