/** What one Kafka request looks like on the wire, in every version that this package speaks. */
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** One request of Kafka's protocol with its reply. The highest version that both sides know is used. */
export interface Api<Body, Reply> {
  /** Number of the request in Kafka's protocol, such as 0 for Produce. */
  readonly key: number;
  /** Name of the request in Kafka's protocol, for messages. */
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The package does without it where a broker does not know it. */
  readonly optional?: true;
  /** Whether the version uses compact lengths and tagged fields (KIP-482). */
  flexible(version: number): boolean;
  encode(body: Body, version: number, writer: Writer): void;
  decode(reader: Reader, version: number): Reply;
  /** Highest version that can carry this body; `maxVersion` where absent. */
  highestVersionFor?(body: Body): number;
  /**
   * Milliseconds for which the client is asked to send nothing more. Absent, or 0, where the broker
   * has waited already: before KIP-219 it throttled before it replied.
   */
  throttleMs?(reply: Reply, version: number): number;
}
