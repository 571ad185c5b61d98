/** What delivery needs of the outside: how batches are built, where partitions are led, and what became of a batch. */
import type { DiagnosticCode } from '../diagnostics.ts';

/** One record as Kafka knows it. Strings are written as UTF-8. */
export interface DeliveryRecord {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: readonly Header[];
  /** Event time, in whole milliseconds since the epoch. */
  readonly timestamp: number;
}

/** Name and value of a record header. */
export type Header = readonly [name: string, value: string | Buffer];

/**
 * Producer id, epoch and sequence of a batch's first record. The broker compares these and the
 * count, never the content: a stamp stays with the records that it was first used for.
 */
export interface Stamp {
  readonly producerId: bigint;
  /** 0 to 32,767. */
  readonly epoch: number;
  /** 0 to 2³¹ − 1. */
  readonly baseSequence: number;
}

/** Records encoded as they will be sent, growing until delivery hands them over. */
export interface Batch {
  readonly count: number;
  /** Size as the broker counts it, before compression: the most that `message.max.bytes` is held against. */
  readonly bytes: number;
  append(record: DeliveryRecord): void;
  /** The records again, decoded: for splitting, filtering and dead letters. Keys and values are Buffers. */
  records(): DeliveryRecord[];
  /** Gives the memory back. The batch must not be used afterwards. */
  release(): void;
}

/** One batch on its way to one partition. `stamp` is null where delivery is at least once. */
export interface Part {
  readonly partition: number;
  readonly batch: Batch;
  readonly stamp: Stamp | null;
}

/** A failure with the code and the sentence that an operator should read; null where it was reported already. */
export interface Failure {
  readonly code: DiagnosticCode | null;
  readonly message: string;
  readonly cause?: unknown;
  /** True where the leaders known to delivery are out of date. */
  readonly staleTopology?: boolean;
  /** The records at fault by their place in the batch, where the broker names them (KIP-467). */
  readonly recordIndexes?: readonly number[];
}

/** What became of one batch. Only `unknown` leaves open whether the broker stored it. */
export type Outcome =
  | {
      readonly kind: 'acknowledged';
      /** Null where the broker proves the batch stored before without telling where. */
      readonly baseOffset: bigint | null;
      /** The broker's own time in milliseconds, where the topic uses LogAppendTime. */
      readonly logAppendTime: number | null;
    }
  | ({
      readonly kind:
        | 'retriable'
        | 'tooLarge'
        | 'refused'
        | 'authentication'
        | 'sequenceLost'
        | 'fenced'
        | 'invalid'
        | 'clock'
        | 'unknown';
    } & Failure);

/** A topic's partitions, sorted by id, and the broker that leads each; null while there is no leader. */
export interface Topology {
  /** Changes when a topic is deleted and made again; null where the broker does not tell. */
  readonly topicId: string | null;
  readonly partitions: readonly { readonly id: number; readonly leader: number | null }[];
}

/** The last stamp that a partition's leader knows of a producer id. */
export interface LastStamp {
  readonly epoch: number;
  readonly lastSequence: number;
}

/** An answer, or why there is none. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | ({ readonly ok: false } & Failure);

/** Everything that delivery asks of a topic's brokers. Nothing here rejects or throws. */
export interface Driver {
  newBatch(): Batch;
  /** Asks the brokers anew each time. */
  topology(): Promise<Answer<Topology>>;
  /** A fresh producer id at epoch 0; null where the broker refuses one, and delivery is at least once. */
  initProducerId(): Promise<Answer<{ readonly producerId: bigint; readonly epoch: number } | null>>;
  /** Sends one batch of each lane in one request to the broker that leads them. Answers in the order of `parts`. */
  send(broker: number, parts: readonly Part[]): Promise<readonly Outcome[]>;
  /**
   * What the leader knows of the producer id (DescribeProducers). `known` is null where it knows
   * nothing; `permitted` is false without the READ right on the topic.
   */
  lastStamp(
    broker: number,
    partition: number,
    producerId: bigint,
  ): Promise<Answer<{ readonly permitted: boolean; readonly known: LastStamp | null }>>;
  close(): Promise<void>;
}
