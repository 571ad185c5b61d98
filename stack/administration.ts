/** Topics and rights of a cluster, by kafkajs's admin client on the internal listener. */

import kafkajs, { type AclResourceTypes, type Admin } from 'kafkajs';

// kafkajs is CommonJS, and Node finds only some of its names by itself.
const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes: resourceTypes,
  ConfigResourceTypes,
  Kafka,
  KafkaJSProtocolError,
  logLevel,
  ResourcePatternTypes,
} = kafkajs;

/** What a right is about. Group `*` is every group. */
export type Resource = { readonly topic: string } | { readonly group: string } | 'cluster';

/** What a principal may do to a resource, by Kafka's names. */
export type Operation = Exclude<keyof typeof AclOperationTypes, 'UNKNOWN' | 'ANY'>;

/** How a topic is made. */
export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number;
  /** Default: one copy on each broker. */
  readonly replication?: number;
  /** Topic settings by Kafka's names, such as `max.message.bytes`. */
  readonly config?: Readonly<Record<string, string>>;
  /**
   * Who may write, read and describe the topic, read in every group, and write idempotently: names
   * of principals without `User:`. Default: the stack's own user of each listener.
   */
  readonly owner?: string | readonly string[];
}

/** What `administration` can do. */
export interface Administration {
  /** Answers when the topic has its leaders and the owner its rights. */
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  /** Answers when the broker that was asked knows of it. */
  deleteTopic(name: string): Promise<void>;
  /** Names of all topics, Kafka's own too. */
  topics(): Promise<string[]>;
  /** `total`: how many there are afterwards. */
  addPartitions(topic: string, total: number): Promise<void>;
  /** Replaces all settings of the topic that were made before. */
  alterTopicConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void>;
  /** Answers when the broker that was asked knows of it. */
  grant(principal: string, resource: Resource, operations: readonly Operation[]): Promise<void>;
  /** Answers when the broker that was asked knows of it. */
  revoke(principal: string, resource: Resource, operations: readonly Operation[]): Promise<void>;
  /** Id of the broker that leads each partition, by partition; -1 where none does. */
  leaders(topic: string): Promise<Map<number, number>>;
  /** Offset of the next record of each partition, by partition. */
  endOffsets(topic: string): Promise<Map<number, bigint>>;
  /** Offset of the next record that a group will read of each partition, by partition: without those that it has not committed. */
  committed(group: string, topic: string): Promise<Map<number, bigint>>;
}

/** Default settings that `createTopic` gives. */
export interface TopicDefaults {
  readonly brokers: number;
  readonly owners: readonly string[];
}

const pollMs = 20;

/** How long a change of leaders may take, in milliseconds. */
const settleMs = 30_000;

/** What a broker says that does not lead a partition, or not yet. */
const leaderElsewhere = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/** What a broker says that does not coordinate a group, or not yet. */
const coordinatorElsewhere = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** What a broker says of a topic that was just made. */
const notYetThere = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/** A connection is made for each call: kafkajs does not come back from every fault that tests make. */
export function administration(bootstrap: string, defaults: TopicDefaults): Administration {
  const kafka = new Kafka({
    clientId: 'stack',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 50, maxRetryTime: 1000 },
  });
  const ask = async <T>(question: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = kafka.admin();
    await admin.connect();
    try {
      return await question(admin);
    } finally {
      await admin.disconnect();
    }
  };

  return {
    async createTopic(name, options = {}) {
      const { partitions = 1, replication = defaults.brokers, owner = defaults.owners } = options;
      const config = {
        'min.insync.replicas': String(Math.max(1, replication - 1)),
        ...options.config,
      };
      const owners = typeof owner === 'string' ? [owner] : owner;
      await ask(async (admin) => {
        // Before the topic: brokers learn of both in this order, so whoever knows the topic knows its rights.
        const acl = owners.flatMap((principal) => [
          ...entries(principal, { topic: name }, ['WRITE', 'READ', 'DESCRIBE']),
          ...entries(principal, { group: '*' }, ['READ']),
          ...entries(principal, 'cluster', ['IDEMPOTENT_WRITE']),
        ]);
        if (acl.length > 0) await admin.createAcls({ acl });
        await admin.createTopics({
          // kafkajs does not wait where a broker has not yet heard of the topic.
          waitForLeaders: false,
          topics: [
            {
              topic: name,
              numPartitions: partitions,
              replicationFactor: replication,
              configEntries: configEntries(config),
            },
          ],
        });
        await settled(notYetThere, () => admin.fetchTopicMetadata({ topics: [name] }));
      });
    },
    async deleteTopic(name) {
      await ask(async (admin) => {
        await admin.deleteTopics({ topics: [name] });
        while ((await admin.listTopics()).includes(name)) await nextPoll();
      });
    },
    topics: () => ask((admin) => admin.listTopics()),
    async addPartitions(topic, total) {
      await ask(async (admin) => {
        await admin.createPartitions({ topicPartitions: [{ topic, count: total }] });
        for (;;) {
          const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
          if (topics[0]?.partitions.filter(({ leader }) => leader >= 0).length === total) return;
          await nextPoll();
        }
      });
    },
    async alterTopicConfig(topic, config) {
      await ask((admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [
            { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: configEntries(config) },
          ],
        }),
      );
    },
    async grant(principal, resource, operations) {
      const acl = entries(principal, resource, operations);
      await ask(async (admin) => {
        await admin.createAcls({ acl });
        while ((await present(admin, acl)) < acl.length) await nextPoll();
      });
    },
    async revoke(principal, resource, operations) {
      const filters = entries(principal, resource, operations);
      await ask(async (admin) => {
        await admin.deleteAcls({ filters });
        while ((await present(admin, filters)) > 0) await nextPoll();
      });
    },
    async leaders(topic) {
      const { topics } = await ask((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
      return new Map(topics[0]?.partitions.map((one) => [one.partitionId, one.leader]));
    },
    async endOffsets(topic) {
      const offsets = await ask((admin) =>
        settled(leaderElsewhere, () => admin.fetchTopicOffsets(topic)),
      );
      return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
    },
    async committed(group, topic) {
      const found = await ask((admin) =>
        settled(coordinatorElsewhere, () =>
          admin.fetchOffsets({ groupId: group, topics: [topic] }),
        ),
      );
      const offsets = found.flatMap(({ partitions }) => partitions);
      // -1 where nothing is committed.
      return new Map(
        offsets
          .filter(({ offset }) => Number(offset) >= 0)
          .map(({ partition, offset }) => [partition, BigInt(offset)]),
      );
    },
  };
}

type Entry = ReturnType<typeof entries>[number];

function entries(principal: string, resource: Resource, operations: readonly Operation[]) {
  return operations.map((operation) => ({
    ...named(resource),
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${principal}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }));
}

function named(resource: Resource): { resourceType: AclResourceTypes; resourceName: string } {
  if (resource === 'cluster') {
    return { resourceType: resourceTypes.CLUSTER, resourceName: 'kafka-cluster' };
  }
  return 'topic' in resource
    ? { resourceType: resourceTypes.TOPIC, resourceName: resource.topic }
    : { resourceType: resourceTypes.GROUP, resourceName: resource.group };
}

/** How many of the entries the broker has. */
async function present(admin: Admin, wanted: readonly Entry[]): Promise<number> {
  const found = await Promise.all(wanted.map((entry) => admin.describeAcls(entry)));
  return found.filter(({ resources }) => resources.some(({ acls }) => acls.length > 0)).length;
}

function configEntries(
  config: Readonly<Record<string, string>>,
): { name: string; value: string }[] {
  return Object.entries(config).map(([name, value]) => ({ name, value }));
}

/**
 * Asks again while brokers answer with one of these errors: they tell of a new topic, or of a new leader, one after the
 * other, and kafkajs asks once.
 */
async function settled<T>(passing: ReadonlySet<string>, question: () => Promise<T>): Promise<T> {
  const until = performance.now() + settleMs;
  for (;;) {
    try {
      return await question();
    } catch (error) {
      const type = error instanceof KafkaJSProtocolError ? error.type : '';
      if (!passing.has(type) || performance.now() > until) throw error;
      await nextPoll();
    }
  }
}

const nextPoll = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pollMs));
