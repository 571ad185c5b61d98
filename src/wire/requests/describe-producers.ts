/** DescribeProducers: the last stamp that a partition's leader knows of each producer. Needs the READ right (KIP-664). */
import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';

export interface DescribeProducersBody {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface DescribeProducersReply {
  readonly throttleMs: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly errorCode: number;
    readonly errorMessage: string | null;
    readonly producers: readonly ProducerState[];
  }[];
}

/** What a leader remembers of one producer. */
export interface ProducerState {
  readonly producerId: bigint;
  readonly epoch: number;
  /** −1 where nothing was written under the epoch yet. */
  readonly lastSequence: number;
  /** Milliseconds since the epoch. */
  readonly lastTimestamp: bigint;
}

export const describeProducers: Api<DescribeProducersBody, DescribeProducersReply> = {
  key: 61,
  name: 'DescribeProducers',
  minVersion: 0,
  maxVersion: 0,
  optional: true,
  flexible: () => true,
  encode({ topic, partitions }, _version, writer) {
    writer.array([topic], (name) => {
      writer.string(name);
      writer.array(partitions, (partition) => writer.int32(partition));
      writer.tags();
    });
    writer.tags();
  },
  decode(reader) {
    const throttleMs = reader.int32();
    const topics = reader.array(() => {
      reader.string(); // name
      const partitions = reader.array(() => {
        const partition = {
          partition: reader.int32(),
          errorCode: reader.int16(),
          errorMessage: reader.nullableString(),
          producers: reader.array(() => decodeProducer(reader)),
        };
        reader.tags();
        return partition;
      });
      reader.tags();
      return partitions;
    });
    reader.tags();
    return { throttleMs, partitions: topics.flat() };
  },
  throttleMs: ({ throttleMs }) => throttleMs,
};

function decodeProducer(reader: Reader): ProducerState {
  const state = {
    producerId: reader.int64(),
    epoch: reader.int32(),
    lastSequence: reader.int32(),
    lastTimestamp: reader.int64(),
  };
  reader.int32(); // coordinator_epoch
  reader.int64(); // current_txn_start_offset
  reader.tags();
  return state;
}
