/**
 * Variable-length integers of Kafka's record format: zig-zag, then seven bits a byte, lowest first.
 * Source: https://kafka.apache.org/documentation/#recordattributes and Protocol Buffers' encoding.
 */

/** Range in which zig-zag stays within 32-bit arithmetic. */
const smallMin = -(2 ** 30);
const smallMax = 2 ** 30 - 1;

/** Most bytes that a 64-bit value takes. */
export const maxVarintBytes = 10;

/** Bytes that a value of 0 to 2³⁰ − 1 takes: a length or a count. */
export function lengthBytes(length: number): number {
  return length < 64
    ? 1
    : length < 8_192
      ? 2
      : length < 1_048_576
        ? 3
        : length < 134_217_728
          ? 4
          : 5;
}

/** Writes a whole number, any that is safe; answers the offset after it. */
export function writeVarint(buffer: Buffer, offset: number, value: number): number {
  if (value < smallMin || value > smallMax) return writeLarge(buffer, offset, BigInt(value));
  let rest = (value << 1) ^ (value >> 31);
  let at = offset;
  while (rest > 127) {
    buffer[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  buffer[at] = rest;
  return at + 1;
}

function writeLarge(buffer: Buffer, offset: number, value: bigint): number {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  let at = offset;
  while (rest > 127n) {
    buffer[at++] = Number(rest & 127n) | 128;
    rest >>= 7n;
  }
  buffer[at] = Number(rest);
  return at + 1;
}

/** Reads varints one after the other. */
export class VarintReader {
  readonly #buffer: Buffer;
  offset: number;

  constructor(buffer: Buffer, offset: number) {
    this.#buffer = buffer;
    this.offset = offset;
  }

  /** Throws a RangeError where the buffer ends within the number, or the number is no safe integer. */
  next(): number {
    let byte = this.#buffer.readUInt8(this.offset++);
    const negative = (byte & 1) === 1;
    // Without its sign, lest the sum outgrow 53 bits while the number does not.
    let magnitude = (byte & 127) >> 1;
    for (let scale = 2 ** 6; byte > 127 && scale <= 2 ** 62; scale *= 2 ** 7) {
      byte = this.#buffer.readUInt8(this.offset++);
      magnitude += (byte & 127) * scale;
    }
    const number = negative ? -magnitude - 1 : magnitude;
    if (byte > 127 || !Number.isSafeInteger(number)) {
      throw new RangeError('A varint is longer than a safe integer');
    }
    return number;
  }

  /** The next so many bytes, as a view; null for a length of −1. */
  bytes(length: number): Buffer | null {
    if (length < 0) return null;
    const start = this.offset;
    this.offset += length;
    return this.#buffer.subarray(start, this.offset);
  }
}
