import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeliveryRecord, Header } from '../../../src/delivery/driver.ts';
import { BufferPool } from '../../../src/produce/buffer-pool.ts';
import { hasCodec } from '../../../src/produce/compression.ts';
import { crc32c } from '../../../src/produce/crc32c.ts';
import { headerBytes, RecordBatch } from '../../../src/produce/record-batch.ts';
import { slowBatch } from './reference-encoder.ts';

const stamp = { producerId: 4_711n, epoch: 3, baseSequence: 2_147_483_000 };
const time = 1_750_000_000_000;

function record<Value extends string | Buffer | null>(
  value: Value,
  more: Partial<DeliveryRecord> = {},
): DeliveryRecord & { value: Value } {
  return { key: null, headers: [], timestamp: time, ...more, value };
}

/** Any UTF-16, lone surrogates included; lengths on both sides of each change of a varint's width. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.array(fc.nat(0xffff), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
  fc.tuple(fc.constantFrom('a', 'ä', '漢', '😀'), fc.nat(90)).map(([c, n]) => c.repeat(n)),
  fc.constantFrom(15, 23, 24, 63, 64, 1_365, 2_730, 8_170, 8_191, 8_192).map((n) => 'é'.repeat(n)),
);
const bytes = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array));
const fields = fc.oneof(fc.constant(null), texts, bytes);
const headers = fc.array(fc.tuple(texts, fc.oneof(texts, bytes)), { maxLength: 3 });
const records: fc.Arbitrary<DeliveryRecord> = fc.record({
  key: fields,
  value: fields,
  headers,
  timestamp: fc.oneof(
    fc.integer({ min: time - 5_000, max: time + 5_000 }),
    fc.constantFrom(0, 1, 4_102_444_800_000),
  ),
});

function batchOf(list: readonly DeliveryRecord[], pool?: BufferPool): RecordBatch {
  const batch = new RecordBatch(pool);
  for (const item of list) batch.append(item);
  return batch;
}

/** What `records()` should answer: everything as bytes, except the names of headers. */
function decoded({ key, value, headers: given, timestamp }: DeliveryRecord): DeliveryRecord {
  const asBytes = (field: string | Buffer | null): Buffer | null =>
    field === null ? null : Buffer.from(field);
  const list = given.map(
    ([name, content]): Header => [Buffer.from(name).toString(), Buffer.from(content)],
  );
  return { key: asBytes(key), value: asBytes(value), headers: list, timestamp };
}

const joined = (parts: readonly Buffer[]): Buffer => Buffer.concat(parts);

describe('a record batch', () => {
  it('is, byte by byte, what the protocol says', () => {
    const batch = batchOf([
      record('hi', { key: 'k', timestamp: 1_000 }),
      record(null, { headers: [['h', 'v']], timestamp: 998 }),
    ]);
    expect(joined(batch.seal({ producerId: 5n, epoch: 1, baseSequence: 7 })).toString('hex')).toBe(
      [
        '0000000000000000', // base offset
        '00000046', // length of what follows
        'ffffffff', // partition leader epoch
        '02', // magic
        '8683607b', // CRC32C of all that follows
        '0000', // attributes
        '00000001', // last offset delta
        '00000000000003e8', // base timestamp
        '00000000000003e8', // maximal timestamp
        '0000000000000005', // producer id
        '0001', // epoch
        '00000007', // base sequence
        '00000002', // count
        '12000000026b04686900', // length 9, attributes, time +0, offset +0, key k, value hi, no headers
        '1400030201010202680276', // length 10, time −2, offset +1, no key, no value, one header
      ].join(''),
    );
  });

  it('equals that of the reference encoder for any records', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 12 }), (list) => {
        const batch = batchOf(list);
        const expected = slowBatch(list, stamp);
        expect(joined(batch.seal(stamp)).equals(expected)).toBe(true);
        expect(batch.bytes).toBe(expected.length);
        expect(batch.count).toBe(list.length);
        expect(joined(batch.seal(null)).equals(slowBatch(list, null))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('gives its records back', () => {
    fc.assert(
      fc.property(fc.array(records, { maxLength: 8 }), (list) => {
        expect(batchOf(list).records()).toEqual(list.map(decoded));
      }),
    );
  });

  it.each([
    ['ASCII', 'x'.repeat(900 * 1_024)],
    ['three bytes a character', '漢'.repeat(300 * 1_024)],
    ['bytes', Buffer.alloc(900 * 1_024, 7)],
  ])('holds a record of 900 KiB: %s', (_, value) => {
    const list = [record('small'), record(value), record('after')];
    const batch = batchOf(list);
    expect(joined(batch.seal(stamp)).equals(slowBatch(list, stamp))).toBe(true);
    const read = batch.records().map((item) => item.value?.toString('latin1'));
    const given = list.map((item) => Buffer.from(item.value).toString('latin1'));
    expect(read.every((content, index) => content === given[index])).toBe(true);
  });

  it('holds thousands of records, each offset and time relative to the first', () => {
    const list = Array.from({ length: 9_000 }, (_, index) =>
      record(`line ${index}`, { timestamp: time + ((index * 7_919) % 100_000) - 50_000 }),
    );
    expect(joined(batchOf(list).seal(stamp)).equals(slowBatch(list, stamp))).toBe(true);
  });

  it('writes a lone surrogate as U+FFFD, as Buffer.from does', () => {
    const [first] = batchOf([record('a\ud800b'), record('\udc00'.repeat(30))]).records();
    expect(first?.value).toEqual(Buffer.from('a\ufffdb'));
  });

  it('seals anew for another stamp, and not for the same', () => {
    const batch = batchOf([record('one')]);
    const first = batch.seal(stamp);
    expect(batch.seal({ ...stamp })).toBe(first);
    const next = { ...stamp, epoch: 4, baseSequence: 0 };
    expect(joined(batch.seal(next)).equals(slowBatch([record('one')], next))).toBe(true);
  });

  it('gives its memory to the next batch, and leaves the records that it gave out alone', () => {
    const pool = new BufferPool();
    const first = batchOf([record('first')], pool);
    const taken = first.records();
    first.release();
    expect(pool.keptBytes).toBe(1_024);
    const second = batchOf([record('second')], pool);
    expect(pool.keptBytes).toBe(0);
    expect(joined(second.seal(null)).equals(slowBatch([record('second')], null))).toBe(true);
    expect(taken[0]?.value).toEqual(Buffer.from('first'));
  });

  it('cannot be used after its release, and releases once', () => {
    const pool = new BufferPool();
    const batch = batchOf([record('first')], pool);
    batch.release();
    batch.release();
    expect(pool.keptBytes).toBe(1_024);
    expect(() => batch.append(record('second'))).toThrow('released');
  });
});

describe('a compressed record batch', () => {
  const list = Array.from({ length: 50 }, (_, index) => record(`a line that repeats, ${index}`));
  const plain = slowBatch(list, stamp);

  it('carries the same records by gzip, with the CRC over what is sent', async () => {
    const batch = batchOf(list);
    await batch.compress('gzip');
    const sent = joined(batch.seal(stamp));
    expect(zlib.gunzipSync(sent.subarray(headerBytes)).equals(plain.subarray(headerBytes))).toBe(
      true,
    );
    expect(sent.readInt16BE(21)).toBe(1);
    expect(sent.readInt32BE(8)).toBe(sent.length - 12);
    expect(sent.readUInt32BE(17)).toBe(crc32c(sent.subarray(21)));
    expect(sent.subarray(23, 61)).toEqual(plain.subarray(23, 61));
    expect(batch.bytes).toBe(plain.length);
    expect(batch.records()).toEqual(list.map(decoded));
  });

  it('carries the same records by zstd', async (context) => {
    if (!hasCodec('zstd')) context.skip('this Node has no zstd');
    const batch = batchOf(list);
    await batch.compress('zstd');
    const sent = joined(batch.seal(stamp));
    expect(sent.readInt16BE(21)).toBe(4);
    const unpack: unknown = Reflect.get(zlib, 'zstdDecompressSync');
    if (typeof unpack !== 'function') throw new TypeError('zstd is only half there');
    const records = Reflect.apply(unpack, undefined, [sent.subarray(headerBytes)]);
    expect(plain.subarray(headerBytes).equals(records)).toBe(true);
  });

  it.skipIf(hasCodec('zstd'))('is refused where Node has no zstd', async () => {
    await expect(batchOf(list).compress('zstd')).rejects.toThrow('no zstd');
  });

  it('compresses once for all stamps', async () => {
    const batch = batchOf(list);
    await batch.compress('gzip');
    const [, packed] = batch.seal(stamp);
    await batch.compress('gzip');
    expect(batch.seal({ ...stamp, epoch: 9 })[1]).toBe(packed);
  });

  it('stays plain where compression makes it no smaller', async () => {
    const batch = batchOf([record('x')]);
    await batch.compress('gzip');
    expect(joined(batch.seal(stamp)).equals(slowBatch([record('x')], stamp))).toBe(true);
  });

  it('can be made plain again', async () => {
    const batch = batchOf(list);
    await batch.compress('gzip');
    batch.seal(stamp);
    await batch.compress('none');
    expect(joined(batch.seal(stamp)).equals(plain)).toBe(true);
  });

  it('keeps memory out of the pool that a thread is still reading', async () => {
    const pool = new BufferPool();
    const batch = batchOf(list, pool);
    // It has outgrown its first buffer.
    const kept = pool.keptBytes;
    const compressing = batch.compress('gzip');
    batch.release();
    expect(pool.keptBytes).toBe(kept);
    await compressing;
  });
});
