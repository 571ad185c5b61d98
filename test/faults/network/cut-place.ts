/** Where in Kafka's conversation a connection was cut: which request or reply, and at which of its bytes. */
import { produce } from '../../../src/wire/requests/produce.ts';
import type { Cut } from './proxied-connection.ts';

/** Of the length before each request and reply, https://kafka.apache.org/protocol#protocol_common. */
const prefixBytes = 4;

export interface CutPlace {
  /** Key of the API (https://kafka.apache.org/protocol#protocol_api_keys) that the request, or the reply, is of. */
  readonly api: number;
  /** The last byte that was let through: from 1, the length counted in. */
  readonly byte: number;
  /** Bytes of the request or reply, its length counted in. */
  readonly length: number;
}

/** Null where nobody can tell: too little of it had come. */
export function placeOf({ direction, afterBytes, arrived }: Cut): CutPlace | null {
  const apis = new Map<number, number>();
  for (const { frame } of framesOf(arrived['to server'])) {
    if (frame.length >= 8) apis.set(frame.readInt32BE(4), frame.readInt16BE(0));
  }
  const hit = framesOf(arrived[direction]).find(
    ({ start, length }) => afterBytes > start && afterBytes <= start + length,
  );
  if (!hit || hit.frame.length < 4) return null;
  const api =
    direction === 'to server' ? hit.frame.readInt16BE(0) : apis.get(hit.frame.readInt32BE(0));
  return api === undefined ? null : { api, byte: afterBytes - hit.start, length: hit.length };
}

/**
 * Answers of the Produce that was cut, its request or its reply, the first byte of each stretch of `step` bytes that has no
 * cut in it: as far as the shortest goes.
 */
export function missedOfProduce(places: readonly CutPlace[], step: number): number[] {
  const hits = places.filter(({ api }) => api === produce.key);
  if (hits.length === 0) throw new Error('No Produce was cut.');
  const length = Math.min(...hits.map((hit) => hit.length));
  const stretches = Array.from({ length: Math.floor(length / step) }, (_, i) => i * step + 1);
  return stretches.filter(
    (first) => !hits.some(({ byte }) => byte >= first && byte < first + step),
  );
}

interface Frame {
  readonly start: number;
  /** With its length's bytes. */
  readonly length: number;
  /** What has come of it, without its length's bytes. */
  readonly frame: Buffer;
}

function framesOf(stream: Buffer): Frame[] {
  const found: Frame[] = [];
  for (let start = 0; start + prefixBytes <= stream.length; ) {
    const length = prefixBytes + stream.readInt32BE(start);
    found.push({ start, length, frame: stream.subarray(start + prefixBytes, start + length) });
    start += length;
  }
  return found;
}
