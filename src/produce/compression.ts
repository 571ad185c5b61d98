/** Compression of a batch's records, on libuv's thread pool, so that the event loop goes on meanwhile. */
import * as zlib from 'node:zlib';

/** How records are compressed. */
export type Codec = 'none' | 'gzip' | 'zstd';

/** The codec's number in a batch's attributes (https://kafka.apache.org/documentation/#recordbatch). */
export const codecIds: Readonly<Record<Codec, number>> = { none: 0, gzip: 1, zstd: 4 };

/** Whether this Node has the codec: zstd came with Node 22.15. */
export function hasCodec(codec: Codec): boolean {
  return codec !== 'zstd' || 'zstdCompress' in zlib;
}

/**
 * Compresses at each codec's own default level (gzip 6, zstd 3), as Java's producer does.
 * Rejects where this Node lacks the codec, or there is no memory.
 */
export function compress(codec: 'gzip' | 'zstd', bytes: Uint8Array): Promise<Buffer> {
  // Node's types know zstd from version 22 on, and this package runs on 20.
  const method: unknown = codec === 'gzip' ? zlib.gzip : Reflect.get(zlib, 'zstdCompress');
  return new Promise((resolve, reject) => {
    if (typeof method !== 'function') {
      reject(new TypeError(`This Node (${process.versions.node}) has no ${codec}`));
      return;
    }
    const done = (error: Error | null, compressed: Buffer): void => {
      if (error) reject(error);
      else resolve(compressed);
    };
    Reflect.apply(method, undefined, [bytes, { chunkSize: outputChunkBytes }, done]);
  });
}

/** Node gathers output in chunks and joins them: one of this size holds most batches. */
const outputChunkBytes = 64 * 1024;
