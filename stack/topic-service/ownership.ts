/** Who owns a topic, for the administrator, who asks Kafka itself: the service need not run. */
import { AccessRights } from './access-rights.ts';
import type { KafkaAccess } from './kafka-access.ts';
import { kafkaAdmin } from './kafka-admin.ts';
import { KafkaTopics } from './kafka-topics.ts';

export interface Ownership extends AsyncDisposable {
  /** Names without `User:`, in order. */
  of(topic: string): Promise<string[]>;
  /** Adds principals such as `User:name`; makes the topic where there is none. */
  add(topic: string, principals: readonly string[]): Promise<void>;
  remove(topic: string, principals: readonly string[]): Promise<void>;
}

export function openOwnership(access: KafkaAccess): Ownership {
  const kafka = kafkaAdmin(access);
  const rights = new AccessRights(kafka);
  const topics = new KafkaTopics(kafka, { partitions: 1, replication: -1, config: {} });
  return {
    async of(topic) {
      const { owners } = await rights.matching(topic);
      return [...owners].map((principal) => principal.replace(/^User:/, '')).sort();
    },
    async add(topic, principals) {
      await rights.grant(principals, { topic });
      await topics.create(topic);
    },
    remove: (topic, principals) => rights.revoke(principals, { topic }),
    async [Symbol.asyncDispose]() {
      kafka.close();
    },
  };
}
