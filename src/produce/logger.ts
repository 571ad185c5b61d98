/** `DiasporaLogger`: sends single records to any topic, and tells of each what became of it. */
import type { Stats } from '../delivery/counters.ts';
import type { Settlement } from '../delivery/record.ts';
import { type FlushResult, Shipper } from '../delivery/shipper.ts';
import { createDiagnostics, type Diagnostics } from '../diagnostics.ts';
import { DeliveryError } from '../errors.ts';
import { type ProducerOptions, type ResolvedProducer, resolveProducer } from '../options.ts';
import { type ClusterConnection, openCluster } from './connect.ts';
import { KafkaDriver } from './driver.ts';
import { KeepAlive } from './keep-alive.ts';
import { outgoingRecord, type SendOptions } from './outgoing-record.ts';

export type { SendOptions } from './outgoing-record.ts';

/** Where an acknowledged record is. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** Null in the one case where the brokers prove that the record is stored without telling where: `docs/architecture.md`. */
  readonly offset: bigint | null;
  /** As stored, in milliseconds since the epoch: the broker's own where the topic uses LogAppendTime. */
  readonly timestamp: number;
}

/**
 * Sends records, several topics over one set of connections.
 *
 * ```js
 * await using logger = new DiasporaLogger({ bootstrapBrokers: 'localhost:9092', auth: { type: 'none' }, tls: false });
 * const { partition, offset } = await logger.send('sensors', { celsius: 21.5 }, { key: 'kitchen' });
 * ```
 */
export class DiasporaLogger implements AsyncDisposable {
  readonly #options: ResolvedProducer;
  readonly #diagnostics: Diagnostics;
  readonly #connection: ClusterConnection;
  readonly #shippers = new Map<string, Shipper>();
  readonly #keepAlive = new KeepAlive();
  #closing: Promise<FlushResult> | null = null;

  /** Throws `ConfigurationError`. Connects in the background: nothing later throws. */
  constructor(options?: ProducerOptions) {
    this.#options = resolveProducer(options);
    this.#diagnostics = createDiagnostics(this.#options.diagnostics);
    this.#connection = openCluster(this.#options, this.#diagnostics);
  }

  /**
   * Sends one record. Strings and bytes go as they are, null is Kafka's tombstone, and all else is
   * written as JSON. The value is taken when `send` is called: it may be changed afterwards.
   *
   * Settles when the brokers have acknowledged the record, or rejects with a `DeliveryError` whose
   * `possiblyDelivered` tells whether it may be in the topic all the same: after `deliveryTimeoutMs`, when
   * the record is too large or invalid (`code` `RECORD_TOO_LARGE`, `RECORD_INVALID`), when the buffer is
   * full (`BUFFER_FULL`), or at `close`. A promise that nobody looks at never crashes the process; until it
   * is settled it keeps the process alive.
   */
  send(topic: string, value: unknown, options: SendOptions = {}): Promise<RecordMetadata> {
    const sent = new Promise<RecordMetadata>((resolve, reject) => {
      if (this.#closing) throw new DeliveryError('CLOSED', 'The logger is closed.', false);
      const record = {
        ...outgoingRecord(topic, value, options),
        level: null,
        settle: (settlement: Settlement) => {
          this.#keepAlive.release();
          if (settlement.kind === 'failed') reject(settlement.error);
          else {
            const { partition: where, offset, timestamp: stored } = settlement;
            resolve({ topic, partition: where, offset, timestamp: stored });
          }
        },
      };
      this.#keepAlive.hold();
      this.#shipperOf(topic).write(record);
    });
    // Whoever awaits it still sees the rejection; whoever does not must not be crashed by it.
    sent.catch(() => {});
    return sent;
  }

  /**
   * Waits until everything sent so far is settled, or the time is up (milliseconds, default
   * `closeTimeoutMs`; `Infinity` waits for all; what is negative or no number is the default). Never rejects.
   */
  flush(options: { timeoutMs?: number } = {}): Promise<FlushResult> {
    return this.#all((shipper) => shipper.flush(options));
  }

  /** Flushes, as long as `flush` would, and lets go of all connections. What is not delivered by then is rejected. Never rejects itself. */
  close(options: { timeoutMs?: number } = {}): Promise<FlushResult> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Ids of a topic's partitions. Rejects with a `BrokerError`, `ConnectionError` or `AuthenticationError`. */
  async partitionsFor(topic: string): Promise<number[]> {
    const asked = this.#connection.cluster.metadata(topic);
    const { partitions } = await this.#keepAlive.during(asked);
    return partitions.map(({ id }) => id);
  }

  /** Whether there is a connection to a broker, signed in. */
  bootstrapConnected(): boolean {
    return this.#connection.cluster.connected;
  }

  /** Counters and latencies of each topic sent to. */
  metrics(): Record<string, Stats> {
    return Object.fromEntries(
      [...this.#shippers].map(([topic, shipper]) => [topic, shipper.stats()]),
    );
  }

  async #close(options: { timeoutMs?: number }): Promise<FlushResult> {
    const result = await this.#all((shipper) => shipper.close(options));
    await this.#connection.close();
    return result;
  }

  async #all(ask: (shipper: Shipper) => Promise<FlushResult>): Promise<FlushResult> {
    const sum = { acknowledged: 0, dropped: 0, deadLettered: 0, pending: 0 };
    for (const result of await Promise.all([...this.#shippers.values()].map(ask))) {
      sum.acknowledged += result.acknowledged;
      sum.dropped += result.dropped;
      sum.deadLettered += result.deadLettered;
      sum.pending += result.pending;
    }
    return sum;
  }

  #shipperOf(topic: string): Shipper {
    const known = this.#shippers.get(topic);
    if (known) return known;
    const { cluster, principal } = this.#connection;
    const { acks, compression, requestTimeoutMs } = this.#options;
    const driver = new KafkaDriver({
      cluster,
      topic,
      acks,
      compression,
      requestTimeoutMs,
      principal,
    });
    const shipper = new Shipper({
      ...this.#options,
      topic,
      driver,
      diagnostics: this.#diagnostics,
    });
    this.#shippers.set(topic, shipper);
    return shipper;
  }
}
