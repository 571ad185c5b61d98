/** Produce: record batches for partitions of one topic, all led by the broker that is asked. */
import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';

export interface ProduceBody {
  /** 1 or −1 (every in-sync replica). Not 0: brokers do not answer that. */
  readonly acks: number;
  /** How long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
  readonly topic: string;
  /** From metadata. With it a topic made again under the same name is told apart (KIP-516). */
  readonly topicId: string | null;
  /** One record batch a partition, whole or in pieces. The buffers are not copied: leave them be until the request is settled. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly records: Buffer | readonly Buffer[];
  }[];
}

export interface ProduceReply {
  readonly partitions: readonly ProducePartitionReply[];
  readonly throttleMs: number;
}

export interface ProducePartitionReply {
  readonly partition: number;
  readonly errorCode: number;
  /** Null before version 8, and where the broker has nothing to add. */
  readonly errorMessage: string | null;
  readonly baseOffset: bigint;
  /** Milliseconds since the epoch; −1 where the topic keeps the client's time. */
  readonly logAppendTime: bigint;
  /** Which records made the broker refuse the batch (KIP-467). */
  readonly recordErrors: readonly { readonly index: number; readonly message: string | null }[];
}

const namesUpTo = 12;

export const produce: Api<ProduceBody, ProduceReply> = {
  key: 0,
  name: 'Produce',
  minVersion: 3,
  maxVersion: 13,
  flexible: (version) => version >= 9,
  highestVersionFor: ({ topicId }) => (topicId === null ? namesUpTo : 13),
  encode({ acks, timeoutMs, topic, topicId, partitions }, version, writer) {
    writer.string(null); // transactional_id
    writer.int16(acks);
    writer.int32(timeoutMs);
    writer.array([topic], (name) => {
      if (version > namesUpTo && topicId !== null) writer.uuid(topicId);
      else writer.string(name);
      writer.array(partitions, ({ partition, records }) => {
        writer.int32(partition);
        writer.records(records);
        writer.tags();
      });
      writer.tags();
    });
    writer.tags();
  },
  decode(reader, version) {
    const topics = reader.array(() => {
      if (version > namesUpTo) reader.uuid();
      else reader.string();
      const partitions = reader.array(() => decodePartition(reader, version));
      reader.tags();
      return partitions;
    });
    const throttleMs = reader.int32();
    reader.tags();
    return { partitions: topics.flat(), throttleMs };
  },
  throttleMs: ({ throttleMs }, version) => (version >= 6 ? throttleMs : 0),
};

function decodePartition(reader: Reader, version: number): ProducePartitionReply {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const baseOffset = reader.int64();
  const logAppendTime = reader.int64();
  if (version >= 5) reader.int64(); // log_start_offset
  const recordErrors = version >= 8 ? reader.array(() => decodeRecordError(reader)) : [];
  const errorMessage = version >= 8 ? reader.nullableString() : null;
  reader.tags();
  return { partition, errorCode, errorMessage, baseOffset, logAppendTime, recordErrors };
}

function decodeRecordError(reader: Reader): { index: number; message: string | null } {
  const recordError = { index: reader.int32(), message: reader.nullableString() };
  reader.tags();
  return recordError;
}
