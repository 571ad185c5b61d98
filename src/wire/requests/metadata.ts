/** Metadata: the cluster's brokers, and the partitions of topics with their leaders. */
import type { Api } from '../api.ts';
import type { Reader } from '../reader.ts';

export interface MetadataBody {
  readonly topics: readonly string[];
}

export interface MetadataReply {
  readonly throttleMs: number;
  readonly brokers: readonly {
    readonly id: number;
    readonly host: string;
    readonly port: number;
  }[];
  readonly clusterId: string | null;
  readonly topics: readonly {
    readonly errorCode: number;
    readonly name: string | null;
    /** Null before version 10. */
    readonly topicId: string | null;
    readonly partitions: readonly {
      readonly id: number;
      /** Null while the partition has none. */
      readonly leader: number | null;
      /** Ids of the brokers that hold a copy, and of those whose copy is up to date. */
      readonly replicas: readonly number[];
      readonly inSync: readonly number[];
    }[];
  }[];
}

/** Topic ids come with 10. Topics are never made by asking: a misspelt name must not become a topic. */
export const metadata: Api<MetadataBody, MetadataReply> = {
  key: 3,
  name: 'Metadata',
  minVersion: 8,
  maxVersion: 12,
  flexible: (version) => version >= 9,
  encode({ topics }, version, writer) {
    writer.array(topics, (name) => {
      if (version >= 10) writer.uuid('AAAAAAAAAAAAAAAAAAAAAA');
      writer.string(name);
      writer.tags();
    });
    writer.boolean(false); // allow_auto_topic_creation
    if (version <= 10) writer.boolean(false); // include_cluster_authorized_operations
    writer.boolean(false); // include_topic_authorized_operations
    writer.tags();
  },
  decode(reader, version) {
    const throttleMs = reader.int32();
    const brokers = reader.array(() => {
      const broker = { id: reader.int32(), host: reader.string(), port: reader.int32() };
      reader.nullableString(); // rack
      reader.tags();
      return broker;
    });
    const clusterId = reader.nullableString();
    reader.int32(); // controller_id
    const topics = reader.array(() => {
      const errorCode = reader.int16();
      const name = reader.nullableString();
      const topicId = version >= 10 ? reader.uuid() : null;
      reader.boolean(); // is_internal
      const partitions = reader.array(() => decodePartition(reader));
      reader.int32(); // topic_authorized_operations
      reader.tags();
      return { errorCode, name, topicId, partitions };
    });
    if (version <= 10) reader.int32(); // cluster_authorized_operations
    reader.tags();
    return { throttleMs, brokers, clusterId, topics };
  },
  throttleMs: ({ throttleMs }) => throttleMs,
};

function decodePartition(reader: Reader): MetadataReply['topics'][number]['partitions'][number] {
  // The partition's own error code says no more than the missing leader, or speaks of replicas only.
  reader.int16();
  const id = reader.int32();
  const leader = reader.int32();
  reader.int32(); // leader_epoch
  const replicas = reader.array(() => reader.int32());
  const inSync = reader.array(() => reader.int32());
  reader.array(() => reader.int32()); // offline_replicas
  reader.tags();
  return { id, leader: leader < 0 ? null : leader, replicas, inSync };
}
