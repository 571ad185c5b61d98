/** The record batch format written down plainly, to hold the fast encoder against. Source: KIP-98. */
import type { DeliveryRecord, Stamp } from '../../../src/delivery/driver.ts';

const castagnoli = 0x82f63b78;

/** CRC32C, bit by bit. */
export function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Zig-zag varint, by way of bigint. */
export function slowVarint(value: number): Buffer {
  let rest = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value);
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest % 128n) + (rest > 127n ? 128 : 0));
    rest /= 128n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** An uncompressed batch. */
export function slowBatch(records: readonly DeliveryRecord[], stamp: Stamp | null): Buffer {
  const times = records.map((record) => record.timestamp);
  const base = times[0] ?? 0;
  const covered = Buffer.concat([
    int(0, 2), // attributes
    int(records.length - 1, 4),
    int(base, 8),
    int(Math.max(...times), 8),
    int(stamp ? stamp.producerId : -1, 8),
    int(stamp ? stamp.epoch : -1, 2),
    int(stamp ? stamp.baseSequence : -1, 4),
    int(records.length, 4),
    ...records.map((record, index) => slowRecord(record, index, base)),
  ]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(slowCrc32c(covered));
  const rest = Buffer.concat([int(-1, 4), int(2, 1), crc, covered]);
  return Buffer.concat([int(0, 8), int(rest.length, 4), rest]);
}

function slowRecord(record: DeliveryRecord, index: number, base: number): Buffer {
  const body = Buffer.concat([
    int(0, 1),
    slowVarint(record.timestamp - base),
    slowVarint(index),
    field(record.key),
    field(record.value),
    slowVarint(record.headers.length),
    ...record.headers.flatMap(([name, value]) => [field(name), field(value)]),
  ]);
  return Buffer.concat([slowVarint(body.length), body]);
}

function field(value: string | Buffer | null): Buffer {
  if (value === null) return slowVarint(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([slowVarint(bytes.length), bytes]);
}

function int(value: number | bigint, bytes: 1 | 2 | 4 | 8): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}
