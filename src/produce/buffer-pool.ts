/** A free list of buffers, so that batch after batch uses the same memory and the garbage collector sees none of it. */

/** Size of the smallest buffer, in bytes: batches of few records wait in large numbers during an outage. */
const smallestBytes = 1024;

/** Bytes that the pool keeps for later by default; what is given back beyond that is left to the garbage collector. */
const defaultKeptBytes = 8 * 1024 * 1024;

/** Lends buffers in sizes of 2ⁿ and 1.5 × 2ⁿ bytes: at most a third of a buffer is waste. */
export class BufferPool {
  readonly #keptBytesMax: number;
  readonly #free = new Map<number, Buffer[]>();
  #keptBytes = 0;

  constructor(keptBytesMax: number = defaultKeptBytes) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** Bytes that wait to be lent again. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least so many bytes, with whatever it held before. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    const kept = this.#free.get(size)?.pop();
    if (!kept) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return kept;
  }

  /** Takes a buffer back, which nobody may use from then on. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (this.#keptBytes + size > this.#keptBytesMax) return;
    this.#keptBytes += size;
    const kept = this.#free.get(size);
    if (kept) kept.push(buffer);
    else this.#free.set(size, [buffer]);
  }
}

function sizeFor(bytes: number): number {
  let size = smallestBytes;
  while (size < bytes) {
    if (size * 1.5 >= bytes) return size * 1.5;
    size *= 2;
  }
  return size;
}
