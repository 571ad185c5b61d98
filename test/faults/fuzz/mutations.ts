/** What faulty lines and middleboxes do to bytes. */
import type { Random } from './seeds.ts';

/** Answers other bytes; those given stay as they are. */
export type Mutation = (bytes: Buffer, random: Random) => Buffer;

/** One bit is the other way round. */
export const flipBit: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  const at = random.integer(bytes.length);
  changed.writeUInt8(changed.readUInt8(at) ^ (1 << random.integer(8)), at);
  return changed;
};

/** One to four neighbours are other bytes. */
export const changeBytes: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  const at = random.integer(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.integer(4));
  for (let index = at; index < end; index += 1) changed.writeUInt8(random.integer(256), index);
  return changed;
};

/** One byte is an extreme one: where lengths and codes go wrong. */
export const extremeByte: Mutation = (bytes, random) => {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(random.pick([0x00, 0x7f, 0x80, 0xff]), random.integer(bytes.length));
  return changed;
};

/** The end is missing: at least a byte of it, and perhaps all. */
export const cutEnd: Mutation = (bytes, random) => bytes.subarray(0, random.integer(bytes.length));

/** A piece is missing. */
export const dropPiece: Mutation = (bytes, random) => {
  const at = random.integer(bytes.length);
  const end = at + 1 + random.integer(8);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
};

/** A piece comes twice. */
export const repeatPiece: Mutation = (bytes, random) => {
  const at = random.integer(bytes.length);
  const end = at + 1 + random.integer(bytes.length - at);
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
};

/** Bytes that nobody sent. */
export const insertBytes: Mutation = (bytes, random) => {
  const at = random.integer(bytes.length + 1);
  const more = Buffer.from(
    Array.from({ length: 1 + random.integer(4) }, () => random.integer(256)),
  );
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
};
