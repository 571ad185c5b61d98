import { expect, it } from 'vitest';
import type { Driver } from '../../../src/delivery/driver.ts';
import { Shipper } from '../../../src/delivery/shipper.ts';
import { Diagnostics } from '../../../src/diagnostics.ts';
import { BufferPool } from '../../../src/produce/buffer-pool.ts';
import { RecordBatch } from '../../../src/produce/record-batch.ts';

/** Knows how much of it is lent. */
class CountedPool extends BufferPool {
  lentBytes = 0;
  lentBuffers = 0;

  override take(bytes: number): Buffer {
    const buffer = super.take(bytes);
    this.lentBytes += buffer.length;
    this.lentBuffers += 1;
    return buffer;
  }

  override give(buffer: Buffer): void {
    this.lentBytes -= buffer.length;
    this.lentBuffers -= 1;
    super.give(buffer);
  }
}

/** Brokers that never answer, so that nothing leaves the buffer. */
function silentDriver(pool: BufferPool): Driver {
  const never = new Promise<never>(() => {});
  return {
    newBatch: () => new RecordBatch(pool),
    topology: () => never,
    initProducerId: () => never,
    send: () => never,
    lastStamp: () => never,
    close: async () => {},
  };
}

it.each([
  { kept: 'one record in a hundred', every: 100 },
  { kept: 'one record in three', every: 3 },
  { kept: 'one record in two thousand', every: 2_000 },
])('batches of which $kept is kept take little more memory than is counted', ({ every }) => {
  const pool = new CountedPool();
  const shipper = new Shipper({
    topic: 'logs',
    driver: silentDriver(pool),
    diagnostics: new Diagnostics(() => {}),
    retry: { minMs: 1, maxMs: 2 },
    acks: 'all',
    lingerMs: 50,
    batchMaxRecords: 1_000,
    batchMaxBytes: 512 << 10,
    bufferMaxBytes: 1 << 20,
    onOverflow: 'drop-lowest-level',
    closeTimeoutMs: 0,
    deadLetter: null,
    sourceHeaders: false,
  });
  const value = 'x'.repeat(100);
  let errors = 0;
  for (let n = 0; n < 300_000; n += 1) {
    const isError = n % every === 0;
    if (isError) errors += 1;
    const record = { key: null, headers: [], timestamp: 1_700_000_000_000, partition: null };
    shipper.write({ ...record, value, level: isError ? 50 : 20 });
  }
  const { bufferedBytes, buffered, dropped, droppedByLevel } = shipper.stats();
  expect(buffered + dropped).toBe(300_000);
  // As many errors as the buffer holds; nothing else while there is something lower.
  if (errors < 5_000) expect(droppedByLevel).toEqual({ 20: dropped });
  expect(bufferedBytes).toBeLessThanOrEqual(1 << 20);
  expect(pool.lentBytes).toBeLessThan(2 * bufferedBytes + (64 << 10));
  // Neighbours that fit into one batch are one.
  expect(pool.lentBuffers).toBeLessThan((2 * buffered) / 1_000 + 5);
  shipper.giveUp();
  expect(pool.lentBuffers).toBe(0);
});
