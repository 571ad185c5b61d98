/** The batches of a partition as they lie on the broker's disk. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Broker } from '../../../stack/broker.ts';

export interface StoredBatch {
  readonly baseOffset: bigint;
  /** As `max.message.bytes` counts them. */
  readonly bytes: number;
}

/**
 * Of a partition that fits into its first segment. A batch begins with its base offset in eight bytes and the length of
 * what follows in four (https://kafka.apache.org/43/implementation/message-format/).
 */
export async function storedBatches(
  { dataDirectory }: Broker,
  topic: string,
  partition: number,
): Promise<StoredBatch[]> {
  const segment = join(dataDirectory, `${topic}-${partition}`, `${'0'.repeat(20)}.log`);
  const log = await readFile(segment);
  const batches: StoredBatch[] = [];
  // The file may be longer than what is in it, with zeros at its end.
  for (let at = 0; at + 12 <= log.length && log.readInt32BE(at + 8) > 0; ) {
    const bytes = 12 + log.readInt32BE(at + 8);
    batches.push({ baseOffset: log.readBigInt64BE(at), bytes });
    at += bytes;
  }
  return batches;
}
