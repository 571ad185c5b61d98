import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogRecord, Settlement } from '../../../src/delivery/record.ts';
import { Shipper, type ShipperOptions } from '../../../src/delivery/shipper.ts';
import { type DiagnosticEvent, Diagnostics } from '../../../src/diagnostics.ts';
import { ModelBroker } from './model-broker.ts';

const record = (value: string, more: Partial<LogRecord> = {}): LogRecord => ({
  key: null,
  value,
  headers: [],
  timestamp: 1_700_000_000_000,
  level: 30,
  partition: null,
  ...more,
});

function setUp(more: Partial<ShipperOptions> = {}, broker = new ModelBroker()) {
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
    ...more,
  });
  return { broker, shipper, events };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
const ascending = (values: readonly string[]): string[] =>
  [...values].sort((one, other) => Number(one) - Number(other));

/** Each request's fate, from a list; then none fails. */
const faults =
  <T>(...list: T[]): (() => T | 'none') =>
  () =>
    list.shift() ?? 'none';

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

  it('splits a batch that is too large, and each half keeps its part of the stamp', async () => {
    const broker = new ModelBroker(1);
    const { shipper } = setUp({}, broker);
    broker.maxBytes = 61 + 3 * 23;
    for (const value of numbers(30)) shipper.write(record(value));
    await shipper.close();
    expect(broker.values()).toEqual(numbers(30));
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
    broker.latestTime = 1_700_000_000_000 - 2.5 * 3_600_000;
    const times: number[] = [];
    shipper.write(
      record('late', { settle: (end) => end.kind === 'acknowledged' && times.push(end.timestamp) }),
    );
    await shipper.close();
    expect(times).toEqual([1_700_000_000_000 - 3 * 3_600_000]);
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
