/** A record batch by hand, so that the wire is tested without the encoder of the package. */

/** One record with a value and nothing else (KIP-98). Without a producer id the stamp is −1. */
export function tinyBatch(
  value: string,
  stamp: { readonly producerId: bigint; readonly epoch: number; readonly sequence: number },
): Buffer {
  const content = Buffer.from(value);
  // length, attributes, timestamp delta, offset delta, key length −1, value, no headers: all zig-zag, one byte each.
  const record = Buffer.from([0, 0, 0, 1, content.length * 2, ...content, 0]);
  const batch = Buffer.alloc(61 + 1 + record.length);
  const now = BigInt(Date.now());
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12); // partition leader epoch
  batch.writeInt8(2, 16); // magic
  batch.writeInt16BE(0, 21); // attributes
  batch.writeInt32BE(0, 23); // last offset delta
  batch.writeBigInt64BE(now, 27);
  batch.writeBigInt64BE(now, 35);
  batch.writeBigInt64BE(stamp.producerId, 43);
  batch.writeInt16BE(stamp.epoch, 51);
  batch.writeInt32BE(stamp.sequence, 53);
  batch.writeInt32BE(1, 57); // number of records
  batch.writeUInt8(record.length * 2, 61);
  record.copy(batch, 62);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** Bit by bit: slow and plain. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
