/** Reads one reply, and trusts no length in it. */

/** The bytes do not make up the reply that they should be. */
export class MalformedReplyError extends Error {
  override readonly name = 'MalformedReplyError';
}

const emptyUuid = 'AAAAAAAAAAAAAAAAAAAAAA';

/** The counterpart of `Writer`. Every method throws `MalformedReplyError` where the bytes end early or make no sense. */
export class Reader {
  /** Whether lengths are compact and tagged fields are present (KIP-482). */
  readonly flexible: boolean;
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer, flexible: boolean) {
    this.#buffer = buffer;
    this.flexible = flexible;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  int8(): number {
    return this.#buffer.readInt8(this.#take(1));
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer.readUInt8(this.#take(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedReplyError('a variable-length number is longer than five bytes');
  }

  string(): string {
    const value = this.nullableString();
    if (value === null) throw new MalformedReplyError('a string that cannot be null is null');
    return value;
  }

  nullableString(): string | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int16();
    if (length < 0) return null;
    const start = this.#take(length);
    return this.#buffer.toString('utf8', start, start + length);
  }

  bytes(): Buffer {
    const length = this.flexible ? this.uvarint() - 1 : this.int32();
    if (length < 0) return Buffer.alloc(0);
    const start = this.#take(length);
    return this.#buffer.subarray(start, start + length);
  }

  /** A null array reads as an empty one. */
  array<Item>(read: () => Item): Item[] {
    const length = this.flexible ? this.uvarint() - 1 : this.int32();
    // No item is shorter than a byte: a false length must not reserve memory.
    if (length > this.remaining) throw new MalformedReplyError('an array is longer than its reply');
    const items: Item[] = [];
    for (let index = 0; index < length; index += 1) items.push(read());
    return items;
  }

  /** A UUID in Kafka's own text form, base64url without padding; null for the zero UUID. */
  uuid(): string | null {
    const start = this.#take(16);
    const text = this.#buffer.toString('base64url', start, start + 16);
    return text === emptyUuid ? null : text;
  }

  /** Skips the tagged fields that end each structure in flexible versions; nothing in others. */
  tags(): void {
    if (!this.flexible) return;
    for (let count = this.uvarint(); count > 0; count -= 1) {
      this.uvarint();
      this.#take(this.uvarint());
    }
  }

  /** For a reply whose beginning says all, and whose rest is in another version. */
  skipRest(): void {
    this.#at = this.#buffer.length;
  }

  #take(bytes: number): number {
    if (bytes > this.remaining) throw new MalformedReplyError('the reply ends early');
    const start = this.#at;
    this.#at += bytes;
    return start;
  }
}
