/** Reads a topic with Kafka's own Java consumer: what is in it, told by somebody else than the package under test. */

import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { spawnJava } from './java-tools.ts';

/** A record as it lies in a topic. */
export interface TopicRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  /** In the record's order. A header without value has an empty one here. */
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  readonly value: Buffer | null;
}

/** How far a topic is read. */
export interface ReadTopicOptions {
  /** Wait until so many records were there. Default: read up to the end offsets at the start. */
  readonly count?: number;
  /** Ends the reading with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * The topic's records from its beginning, in order within each partition. Leaving the loop early
 * ends the reader.
 *
 * @throws Error with the Java client's own words where it cannot read.
 */
export async function* readTopic(
  bootstrap: string,
  topic: string,
  { count = -1, signal }: ReadTopicOptions = {},
): AsyncGenerator<TopicRecord, void, undefined> {
  signal?.throwIfAborted();
  const child = await spawnJava('ReadTopic', [bootstrap, topic, String(count)]);
  const abort = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', abort, { once: true });
  const ended = once(child, 'close');
  const stderr = text(child.stderr);
  // The loop may be left before these are awaited.
  ended.catch(() => {});
  stderr.catch(() => {});
  child.stdin.end();
  try {
    for await (const frame of frames(child.stdout)) yield decodeRecord(frame);
    await ended;
    signal?.throwIfAborted();
    if (child.exitCode !== 0) throw new Error(`Could not read ${topic}:\n${await stderr}`);
  } finally {
    signal?.removeEventListener('abort', abort);
    child.kill('SIGKILL');
  }
}

/** Cuts a byte stream into its frames: a big-endian length of four bytes, then as many bytes. */
export async function* frames(
  stream: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  let needed = 4;
  for await (const chunk of stream) {
    held.push(chunk);
    size += chunk.length;
    // A frame of many chunks is put together once, not once a chunk.
    if (size < needed) continue;
    const bytes = held.length === 1 ? chunk : Buffer.concat(held, size);
    let at = 0;
    needed = 4;
    while (size - at >= 4) {
      const end = at + 4 + bytes.readInt32BE(at);
      if (end > size) {
        needed = end - at;
        break;
      }
      yield bytes.subarray(at + 4, end);
      at = end;
    }
    held = at === size ? [] : [bytes.subarray(at)];
    size -= at;
  }
  if (size > 0) throw new Error(`The stream ended within a frame, after ${size} bytes of it.`);
}

/** The inverse of `write` in `stack/java/ReadTopic.java`. */
function decodeRecord(frame: Buffer): TopicRecord {
  let at = 20;
  const bytes = (): Buffer | null => {
    const length = frame.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return frame.subarray(at - length, at);
  };
  const key = bytes();
  const headerCount = frame.readInt32BE(at);
  at += 4;
  const headers = Array.from({ length: headerCount }, (): readonly [string, Buffer] => {
    const name = bytes()?.toString() ?? '';
    return [name, bytes() ?? Buffer.alloc(0)];
  });
  return {
    partition: frame.readInt32BE(0),
    offset: frame.readBigInt64BE(4),
    timestamp: Number(frame.readBigInt64BE(12)),
    key,
    headers,
    value: bytes(),
  };
}
