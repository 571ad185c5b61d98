/** Writes one request: big-endian fields, and records passed through without being copied. */

const initialBytes = 256;

/**
 * Kafka's primitive types (https://kafka.apache.org/protocol#protocol_types). Strings, arrays and bytes
 * take their compact form when the writer is flexible, so that a codec is written once for all versions.
 */
export class Writer {
  /** Whether lengths are compact and tagged fields are written (KIP-482). */
  readonly flexible: boolean;
  readonly #done: Buffer[] = [];
  #doneBytes = 0;
  #buffer: Buffer = Buffer.allocUnsafe(initialBytes);
  #at = 0;

  constructor(flexible: boolean) {
    this.flexible = flexible;
  }

  int8(value: number): void {
    this.#room(1);
    this.#at = this.#buffer.writeInt8(value, this.#at);
  }

  int16(value: number): void {
    this.#room(2);
    this.#at = this.#buffer.writeInt16BE(value, this.#at);
  }

  int32(value: number): void {
    this.#room(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  int64(value: bigint): void {
    this.#room(8);
    this.#at = this.#buffer.writeBigInt64BE(value, this.#at);
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  /** Unsigned, 0 to 2³² − 1, seven bits a byte, lowest first. */
  uvarint(value: number): void {
    this.#room(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#at = this.#buffer.writeUInt8((rest & 0x7f) | 0x80, this.#at);
      rest >>>= 7;
    }
    this.#at = this.#buffer.writeUInt8(rest, this.#at);
  }

  /** UTF-8, at most 32,767 bytes where the writer is not flexible. */
  string(value: string | null): void {
    const length = value === null ? -1 : Buffer.byteLength(value);
    if (this.flexible) this.uvarint(length + 1);
    else this.int16(length);
    if (value !== null) this.#text(value, length);
  }

  /** A string that stays in its old form in flexible versions: the client id of the request header. */
  headerString(value: string): void {
    const length = Buffer.byteLength(value);
    this.int16(length);
    this.#text(value, length);
  }

  /** Copied: for small values such as credentials. */
  bytes(value: Buffer): void {
    this.#byteCount(value.length);
    this.#room(value.length);
    this.#at += value.copy(this.#buffer, this.#at);
  }

  /** One or more buffers as one field, by reference: they must stay as they are until the request is settled. */
  records(value: Buffer | readonly Buffer[]): void {
    const chunks = Buffer.isBuffer(value) ? [value] : value;
    this.#byteCount(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    this.#seal();
    for (const chunk of chunks) {
      this.#done.push(chunk);
      this.#doneBytes += chunk.length;
    }
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): void {
    if (this.flexible) this.uvarint(items.length + 1);
    else this.int32(items.length);
    for (const item of items) write(item);
  }

  /** A UUID in Kafka's own text form, base64url without padding. */
  uuid(value: string): void {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length !== 16) throw new RangeError(`${JSON.stringify(value)} is not a Kafka UUID`);
    this.#room(16);
    this.#at += bytes.copy(this.#buffer, this.#at);
  }

  /** The empty set of tagged fields that ends each structure in flexible versions; nothing in others. */
  tags(): void {
    if (this.flexible) this.uvarint(0);
  }

  /** The request with its length in front, as buffers to be written one after the other. */
  frame(): { readonly chunks: readonly Buffer[]; readonly bytes: number } {
    this.#seal();
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(this.#doneBytes);
    return { chunks: [length, ...this.#done], bytes: this.#doneBytes + 4 };
  }

  #byteCount(length: number): void {
    if (this.flexible) this.uvarint(length + 1);
    else this.int32(length);
  }

  #text(value: string, bytes: number): void {
    this.#room(bytes);
    this.#at += this.#buffer.write(value, this.#at, 'utf8');
  }

  #room(bytes: number): void {
    if (this.#buffer.length - this.#at >= bytes) return;
    this.#seal();
    this.#buffer = Buffer.allocUnsafe(Math.max(initialBytes, bytes));
  }

  #seal(): void {
    if (this.#at === 0) return;
    this.#done.push(this.#buffer.subarray(0, this.#at));
    this.#doneBytes += this.#at;
    this.#buffer = this.#buffer.subarray(this.#at);
    this.#at = 0;
  }
}
