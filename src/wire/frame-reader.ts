/** Cuts what a socket delivers into replies, however it was split on the way. */

/** A length that no reply has: the other side does not speak Kafka's protocol, or the stream is out of step. */
export class FrameLengthError extends Error {
  override readonly name = 'FrameLengthError';
  /** The four bytes that should have been a length. */
  readonly bytes: Buffer;

  constructor(bytes: Buffer, limit: number) {
    super(`a reply of ${bytes.readInt32BE()} bytes is announced, and at most ${limit} are taken`);
    this.bytes = bytes;
  }
}

const prefixBytes = 4;

/** Collects chunks and joins them once a frame is whole, so that each byte is copied at most once. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Length of the frame under way, its prefix included; 0 while the prefix is not whole. */
  #wanted = 0;

  /** `limit`: most bytes in a frame. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Answers the frames that are whole now, without their length. Throws `FrameLengthError`. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= Math.max(this.#wanted, prefixBytes)) {
      if (this.#wanted === 0) {
        this.#wanted = prefixBytes + this.#length(this.#join().subarray(0, prefixBytes));
        continue;
      }
      const joined = this.#join();
      frames.push(joined.subarray(prefixBytes, this.#wanted));
      this.#chunks = [joined.subarray(this.#wanted)];
      this.#held -= this.#wanted;
      this.#wanted = 0;
    }
    return frames;
  }

  #join(): Buffer {
    const joined = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = [joined ?? Buffer.alloc(0)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #length(prefix: Buffer): number {
    const length = prefix.readInt32BE();
    // Every reply starts with a correlation id of four bytes.
    if (length < 4 || length > this.#limit) throw new FrameLengthError(prefix, this.#limit);
    return length;
  }
}
