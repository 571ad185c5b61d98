/** Compression that kafkajs cannot read by itself. */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import kafkajs from 'kafkajs';

type ZlibCall = (input: Buffer, callback: (error: Error | null, output: Buffer) => void) => void;

/**
 * Registers zstd with kafkajs where `node:zlib` has it (Node 22.15 and later) and nobody else did. The
 * registry is kafkajs's own, one a process.
 */
export function registerZstd(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const compress = zlibCall('zstdCompress');
  const decompress = zlibCall('zstdDecompress');
  if (!compress || !decompress || isRegistered(CompressionCodecs[CompressionTypes.ZSTD])) return;
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => promisify(compress)(encoder.buffer),
    decompress: promisify(decompress),
  });
}

/** Before a codec is registered, kafkajs holds a function there that throws. */
function isRegistered(codec: unknown): boolean {
  if (typeof codec !== 'function') return false;
  try {
    codec();
    return true;
  } catch {
    return false;
  }
}

function zlibCall(name: string): ZlibCall | null {
  const call: unknown = Reflect.get(zlib, name);
  return isZlibCall(call) ? call : null;
}

function isZlibCall(call: unknown): call is ZlibCall {
  return typeof call === 'function';
}
