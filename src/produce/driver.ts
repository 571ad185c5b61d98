/** Delivery's driver for one Kafka topic: encodes batches, sends them to their leaders, and reads what became of them. */
import type { Answer, Driver, LastStamp, Outcome, Part, Topology } from '../delivery/driver.ts';
import { BrokerError, ConnectionError } from '../errors.ts';
import type { Cluster } from '../wire/cluster.ts';
import { describeProducers } from '../wire/requests/describe-producers.ts';
import { initProducerId } from '../wire/requests/init-producer-id.ts';
import { produce } from '../wire/requests/produce.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Codec } from './compression.ts';
import {
  failureOf,
  failureOfError,
  outcomeOfAnswer,
  outcomeOfError,
  type Target,
} from './outcomes.ts';
import { RecordBatch } from './record-batch.ts';

/** Codes of Kafka's protocol that the driver itself acts on. */
const code = {
  none: 0,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  unsupportedCompressionType: 76,
} as const;

/**
 * The broker gives up waiting for its followers so long before this side gives up waiting for the
 * broker, in milliseconds: an answer that says so is worth more than none.
 */
const answerMarginMs = 5_000;
const leastBrokerTimeoutMs = 1_000;

export interface KafkaDriverOptions {
  /** May be shared with the drivers of other topics: `close` leaves it to `onClose`. */
  readonly cluster: Cluster;
  readonly topic: string;
  readonly acks: 'all' | 1;
  readonly compression: Codec;
  /** Deadline of one request, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Ends what lives for this driver alone, such as the cluster. Default: nothing does. */
  readonly onClose?: () => Promise<void>;
  /** Who is signed in, for messages; null where it is not known. */
  readonly principal?: () => string | null;
}

export class KafkaDriver implements Driver {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #acks: number;
  readonly #requestTimeoutMs: number;
  readonly #onClose: (() => Promise<void>) | undefined;
  readonly #principal: () => string | null;
  readonly #pool = new BufferPool();
  #compression: Codec;
  #topicId: string | null = null;

  constructor(options: KafkaDriverOptions) {
    this.#cluster = options.cluster;
    this.#topic = options.topic;
    this.#acks = options.acks === 'all' ? -1 : 1;
    this.#compression = options.compression;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#onClose = options.onClose;
    this.#principal = options.principal ?? (() => null);
  }

  newBatch(): RecordBatch {
    return new RecordBatch(this.#pool);
  }

  async topology(): Promise<Answer<Topology>> {
    try {
      const { topicId, partitions } = await this.#cluster.metadata(this.#topic);
      this.#topicId = topicId;
      return { ok: true, value: { topicId, partitions } };
    } catch (error) {
      const failure = failureOfError(error, this.#target);
      if (!isBrokerError(error, code.topicAuthorizationFailed)) return { ok: false, ...failure };
      const who = this.#target.principal === null ? '' : ` as ${this.#target.principal}`;
      const message = `Topic ${this.#topic} does not exist, or may not be written to${who} (the broker does not tell which). Check the spelling; else claim the topic, or ask its owner.`;
      return { ok: false, ...failure, message };
    }
  }

  async initProducerId(): Promise<
    Answer<{ readonly producerId: bigint; readonly epoch: number } | null>
  > {
    try {
      const { errorCode, producerId, epoch } = await this.#cluster.request(
        null,
        initProducerId,
        {},
        { timeoutMs: this.#requestTimeoutMs },
      );
      if (errorCode === code.none) return { ok: true, value: { producerId, epoch } };
      if (errorCode === code.clusterAuthorizationFailed) return { ok: true, value: null };
      return { ok: false, ...failureOf({ errorCode }, this.#target) };
    } catch (error) {
      if (isBrokerError(error, code.clusterAuthorizationFailed)) return { ok: true, value: null };
      return { ok: false, ...failureOfError(error, this.#target) };
    }
  }

  async send(broker: number, parts: readonly Part[]): Promise<readonly Outcome[]> {
    const target = this.#target;
    try {
      const partitions = await Promise.all(parts.map((part) => this.#encode(part)));
      const reply = await this.#cluster.request(
        broker,
        produce,
        {
          acks: this.#acks,
          timeoutMs: Math.max(leastBrokerTimeoutMs, this.#requestTimeoutMs - answerMarginMs),
          topic: this.#topic,
          topicId: this.#topicId,
          partitions,
        },
        { timeoutMs: this.#requestTimeoutMs },
      );
      const answers = new Map(reply.partitions.map((answer) => [answer.partition, answer]));
      return parts.map(({ partition }, index): Outcome => {
        const answer = answers.get(partition);
        if (answer) {
          // Batches keep their stamps when they are sent again plain: the broker never compares content.
          if (answer.errorCode === code.unsupportedCompressionType) this.#compression = 'none';
          return outcomeOfAnswer(answer, target, partitions[index]?.maxTimestamp ?? 0);
        }
        const message = `The broker's answer leaves partition ${partition} of topic ${this.#topic} out.`;
        return { kind: 'unknown', code: 'BROKER_ERROR', message };
      });
    } catch (error) {
      const outcome = outcomeOfError(error, target);
      return parts.map(() => outcome);
    }
  }

  async lastStamp(
    broker: number,
    partition: number,
    producerId: bigint,
  ): Promise<Answer<{ readonly permitted: boolean; readonly known: LastStamp | null }>> {
    try {
      const reply = await this.#cluster.request(
        broker,
        describeProducers,
        { topic: this.#topic, partitions: [partition] },
        { timeoutMs: this.#requestTimeoutMs },
      );
      const answer = reply.partitions.find((candidate) => candidate.partition === partition);
      if (answer?.errorCode === code.none) {
        const known = answer.producers.find((producer) => producer.producerId === producerId);
        return {
          ok: true,
          value: {
            permitted: true,
            known: known ? { epoch: known.epoch, lastSequence: known.lastSequence } : null,
          },
        };
      }
      const errorCode = answer?.errorCode ?? -1;
      if (errorCode === code.topicAuthorizationFailed) return notPermitted;
      return {
        ok: false,
        ...failureOf({ errorCode, partition }, this.#target),
      };
    } catch (error) {
      // Brokers before 2.8 do not know the request (KIP-664): there nobody can be asked.
      if (error instanceof ConnectionError && error.code === 'BROKER_TOO_OLD') return notPermitted;
      return { ok: false, ...failureOfError(error, this.#target) };
    }
  }

  async close(): Promise<void> {
    await this.#onClose?.();
  }

  get #target(): Target {
    return { topic: this.#topic, principal: this.#principal() };
  }

  async #encode({ batch, stamp, partition }: Part): Promise<EncodedPart> {
    if (!(batch instanceof RecordBatch)) throw new TypeError('The batch is of another driver');
    // Uncompressed is better than not at all, such as where memory is short.
    await batch.compress(this.#compression).catch(() => batch.compress('none'));
    return { partition, records: batch.seal(stamp), maxTimestamp: batch.maxTimestamp };
  }
}

interface EncodedPart {
  readonly partition: number;
  readonly records: readonly Buffer[];
  readonly maxTimestamp: number;
}

const notPermitted = { ok: true, value: { permitted: false, known: null } } as const;

function isBrokerError(error: unknown, errorCode: number): boolean {
  return error instanceof BrokerError && error.errorCode === errorCode;
}
