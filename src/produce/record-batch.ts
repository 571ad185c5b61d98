/**
 * Kafka's record batch, magic 2, encoded in place while records arrive.
 * Source: https://kafka.apache.org/documentation/#recordbatch and KIP-98.
 */
import type { Batch, DeliveryRecord, Header, Stamp } from '../delivery/driver.ts';
import { BufferPool } from './buffer-pool.ts';
import { type Codec, codecIds, compress } from './compression.ts';
import { crc32c } from './crc32c.ts';
import { lengthBytes, maxVarintBytes, VarintReader, writeVarint } from './varint.ts';

/** Offsets of the header's fields, all of fixed width and big-endian. */
const at = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const;

/** Bytes of a batch before its first record. */
export const headerBytes = 61;

/** What the broker reads as "no producer identity". */
const unstamped: Stamp = { producerId: -1n, epoch: -1, baseSequence: -1 };

/** Up to this length a loop writes an ASCII string faster than the call into V8 does (`bench/encode.ts`). */
const loopMaxLength = 24;

/** Beyond this length the exact size of a string is asked for, rather than three times its length reserved. */
const exactFromLength = 4_096;

/** Records of one batch, in memory of a pool. */
export class RecordBatch implements Batch {
  readonly #pool: BufferPool;
  #buffer: Buffer;
  #end = headerBytes;
  #count = 0;
  #baseTimestamp = 0;
  #maxTimestamp = 0;
  #compressed: { readonly codec: Codec; readonly records: Buffer } | null = null;
  #compressing = false;
  #sealed: { readonly stamp: Stamp; readonly bytes: readonly Buffer[] } | null = null;

  constructor(pool: BufferPool = new BufferPool()) {
    this.#pool = pool;
    this.#buffer = pool.take(headerBytes);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#end;
  }

  /** The latest time of all records, in milliseconds since the epoch. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  append(record: DeliveryRecord): void {
    const { key, value, headers, timestamp } = record;
    let units = sizeHint(key) + sizeHint(value);
    let most = maxSize(key) + maxSize(value);
    for (const header of headers) {
      units += header[0].length + header[1].length + 2;
      most += maxSize(header[0]) + maxSize(header[1]);
    }
    this.#reserve(most + 3 * maxVarintBytes);
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp;
      this.#maxTimestamp = timestamp;
    } else if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp;
    }
    const buffer = this.#buffer;
    const start = this.#end;
    // The record's length comes first and is known last: its width is guessed, and corrected if wrong.
    const guessed = lengthBytes(units + 8);
    let end = start + guessed;
    buffer[end] = 0; // attributes: none is defined
    end = writeVarint(buffer, end + 1, timestamp - this.#baseTimestamp);
    end = writeVarint(buffer, end, this.#count);
    end = writeField(buffer, end, key);
    end = writeField(buffer, end, value);
    end = writeVarint(buffer, end, headers.length);
    for (const header of headers) {
      end = writeField(buffer, end, header[0]);
      end = writeField(buffer, end, header[1]);
    }
    const length = end - start - guessed;
    const width = lengthBytes(length);
    if (width !== guessed) {
      buffer.copyWithin(start + width, start + guessed, end);
      end += width - guessed;
    }
    writeVarint(buffer, start, length);
    this.#end = end;
    this.#count += 1;
    this.#compressed = null;
    this.#sealed = null;
  }

  records(): DeliveryRecord[] {
    // A copy: the records outlive this batch's memory.
    const reader = new VarintReader(Buffer.from(this.#buffer.subarray(headerBytes, this.#end)), 0);
    return Array.from({ length: this.#count }, () => {
      reader.next(); // length
      reader.offset += 1; // attributes
      const timestamp = this.#baseTimestamp + reader.next();
      reader.next(); // offset delta
      const key = reader.bytes(reader.next());
      const value = reader.bytes(reader.next());
      const headers = Array.from({ length: reader.next() }, (): Header => {
        const name = reader.bytes(reader.next());
        const content = reader.bytes(reader.next());
        return [name?.toString() ?? '', content ?? Buffer.alloc(0)];
      });
      return { key, value, headers, timestamp };
    });
  }

  /**
   * Compresses the records, once, for every later `seal`. `none` undoes it. Where the records get no
   * smaller they stay as they are. Rejects where this Node lacks the codec.
   */
  async compress(codec: Codec): Promise<void> {
    if (this.#compressed?.codec === codec || (codec === 'none' && !this.#compressed)) return;
    this.#sealed = null;
    if (codec === 'none') {
      this.#compressed = null;
      return;
    }
    const records = this.#buffer.subarray(headerBytes, this.#end);
    this.#compressing = true;
    try {
      this.#compressed = { codec, records: await compress(codec, records) };
    } finally {
      this.#compressing = false;
    }
  }

  /**
   * The batch as it is sent: the bytes of the first `seal` under a stamp serve for each further one.
   * They are the batch's own memory, valid until it is appended to, shifted, sealed otherwise or released.
   */
  seal(stamp: Stamp | null): readonly Buffer[] {
    const wanted = stamp ?? unstamped;
    if (this.#sealed && sameStamp(this.#sealed.stamp, wanted)) return this.#sealed.bytes;
    const packed =
      this.#compressed && this.#compressed.records.length < this.#end - headerBytes
        ? this.#compressed
        : null;
    const size = packed ? headerBytes + packed.records.length : this.#end;
    const buffer = this.#buffer;
    buffer.writeBigInt64BE(0n, at.baseOffset); // the broker's to fill in
    buffer.writeInt32BE(size - at.partitionLeaderEpoch, at.batchLength);
    buffer.writeInt32BE(-1, at.partitionLeaderEpoch); // likewise
    buffer.writeInt8(2, at.magic);
    buffer.writeInt16BE(codecIds[packed?.codec ?? 'none'], at.attributes);
    buffer.writeInt32BE(this.#count - 1, at.lastOffsetDelta);
    buffer.writeBigInt64BE(BigInt(this.#baseTimestamp), at.baseTimestamp);
    buffer.writeBigInt64BE(BigInt(this.#maxTimestamp), at.maxTimestamp);
    buffer.writeBigInt64BE(wanted.producerId, at.producerId);
    buffer.writeInt16BE(wanted.epoch, at.producerEpoch);
    buffer.writeInt32BE(wanted.baseSequence, at.baseSequence);
    buffer.writeInt32BE(this.#count, at.recordCount);
    const own = packed ? crc32c(buffer.subarray(at.attributes, headerBytes)) : 0;
    const crc = packed
      ? crc32c(packed.records, own)
      : crc32c(buffer.subarray(at.attributes, this.#end));
    buffer.writeUInt32BE(crc, at.crc);
    const bytes = packed
      ? [buffer.subarray(0, headerBytes), packed.records]
      : [buffer.subarray(0, this.#end)];
    this.#sealed = { stamp: wanted, bytes };
    return bytes;
  }

  release(): void {
    const buffer = this.#buffer;
    // An empty buffer, so that a use after release fails instead of writing into another batch.
    this.#buffer = Buffer.alloc(0);
    this.#sealed = null;
    this.#compressed = null;
    // A thread that still reads the records keeps them for itself.
    if (buffer.length > 0 && !this.#compressing) this.#pool.give(buffer);
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#buffer.length) return;
    if (this.#buffer.length === 0) throw new TypeError('The batch was released');
    const larger = this.#pool.take(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#pool.give(this.#buffer);
    this.#buffer = larger;
  }
}

function sameStamp(one: Stamp, other: Stamp): boolean {
  return (
    one.baseSequence === other.baseSequence &&
    one.epoch === other.epoch &&
    one.producerId === other.producerId
  );
}

/** Right for ASCII, which most log lines are; else too small. */
function sizeHint(field: string | Buffer | null): number {
  return field === null ? 0 : field.length;
}

/** Bytes that the field takes at most, with its length before it. A UTF-16 unit takes up to three. */
function maxSize(field: string | Buffer | null): number {
  if (field === null) return 1;
  if (typeof field !== 'string') return field.length + 5;
  return (field.length < exactFromLength ? field.length * 3 : Buffer.byteLength(field)) + 5;
}

/** A nullable string or byte sequence with its length before it; answers the offset after it. */
function writeField(buffer: Buffer, offset: number, field: string | Buffer | null): number {
  if (field === null) return writeVarint(buffer, offset, -1);
  if (typeof field !== 'string') {
    const start = writeVarint(buffer, offset, field.length);
    buffer.set(field, start);
    return start + field.length;
  }
  const guessed = lengthBytes(field.length);
  const start = offset + guessed;
  if (field.length < loopMaxLength && writeAscii(buffer, start, field)) {
    buffer[offset] = field.length << 1;
    return start + field.length;
  }
  const length = buffer.write(field, start);
  const width = lengthBytes(length);
  if (width !== guessed) buffer.copyWithin(offset + width, start, start + length);
  return writeVarint(buffer, offset, length) + length;
}

/** False where a character is not ASCII: the rest is not written then. */
function writeAscii(buffer: Buffer, offset: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 127) return false;
    buffer[offset + index] = unit;
  }
  return true;
}
