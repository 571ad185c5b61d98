/** Records that cannot be delivered, kept as NDJSON files for whoever comes after. */
import { appendFileSync, mkdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { DeliveryRecord, Stamp } from './driver.ts';

/** Why a record is here, and what it would have been sent with. */
export interface Circumstances {
  /** A diagnostic code. */
  readonly reason: string;
  readonly message: string;
  readonly topic: string;
  readonly partition: number | null;
  /** The stamp of this very record; null where it had none. */
  readonly stamp: Stamp | null;
}

/**
 * Appends to `<directory>/dead-letters-<source>.ndjson`, one line a record:
 * `{ time, reason, message, topic, partition, stamp: { producerId, epoch, sequence } | null,
 * record: { timestamp, key, value, headers } }`. `time` and `timestamp` are ISO 8601; text that is
 * not UTF-8 stands as `{ "base64": "…" }`.
 */
export class DeadLetters {
  readonly file: string;
  readonly #directory: string;

  constructor(directory: string, source: string) {
    this.#directory = directory;
    this.file = join(directory, `dead-letters-${source}.ndjson`);
  }

  /** Writes before it returns. Throws what the file system says, and leaves no part of a line then. */
  write(records: readonly DeliveryRecord[], circumstances: Circumstances): void {
    const time = new Date().toISOString();
    const { stamp, reason, message, topic, partition } = circumstances;
    const lines = records.map((record, index) =>
      JSON.stringify({
        time,
        reason,
        message,
        topic,
        partition,
        stamp: stamp && {
          producerId: stamp.producerId.toString(),
          epoch: stamp.epoch,
          sequence: (stamp.baseSequence + index) % 2 ** 31,
        },
        record: {
          timestamp: readableTime(record.timestamp),
          key: readable(record.key),
          value: readable(record.value),
          headers: record.headers.map(([name, value]) => [name, readable(value)]),
        },
      }),
    );
    mkdirSync(this.#directory, { recursive: true });
    const size = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
    try {
      appendFileSync(this.file, `${lines.join('\n')}\n`, { mode: 0o600 });
    } catch (error) {
      // A full disk takes a part before it refuses.
      if (statSync(this.file, { throwIfNoEntry: false })) truncateSync(this.file, size);
      throw error;
    }
  }
}

/** ISO 8601; the number itself where that has no form for it. */
function readableTime(timestamp: number): string | number {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? timestamp : date.toISOString();
}

function readable(part: string | Buffer | null): string | { base64: string } | null {
  if (part === null || typeof part === 'string') return part;
  const text = part.toString('utf8');
  return Buffer.from(text).equals(part) ? text : { base64: part.toString('base64') };
}
