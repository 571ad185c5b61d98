/** A record as the consumer gives it, out of what kafkajs makes of one. */
import type { IHeaders, KafkaMessage } from 'kafkajs';

/** One record as it was read. */
export interface ConsumedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  /** Null is Kafka's tombstone. */
  readonly value: Buffer | null;
  /**
   * A name may occur more than once: its values are in their order, and stand together, where it came first. Names
   * that are numbers come before the others. A header without a value has null.
   */
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** Takes over a record of a fetch. */
export function recordOf(topic: string, partition: number, message: KafkaMessage): ConsumedRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key,
    value: message.value,
    headers: headersOf(message.headers ?? {}),
    timestamp: Number(message.timestamp),
  };
}

/**
 * kafkajs gathers the values of one name in an array, in an object that has a prototype: what that has under the name of a
 * header, such as a function under `constructor`, stands among the values.
 */
function headersOf(headers: IHeaders): ConsumedRecord['headers'] {
  return Object.entries(headers).flatMap(([name, given]) =>
    [given]
      .flat()
      .flatMap((value: unknown): [string, Buffer | null][] =>
        value === null || Buffer.isBuffer(value) ? [[name, value]] : [],
      ),
  );
}
