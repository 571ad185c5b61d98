import type { Admin, ITopicMetadata } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AccessRights } from '../../../stack/topic-service/access-rights.ts';
import type { KafkaAdmin } from '../../../stack/topic-service/kafka-admin.ts';
import { KafkaTopics } from '../../../stack/topic-service/kafka-topics.ts';
import { Namespaces } from '../../../stack/topic-service/namespaces.ts';

const subject = '11111111-2222-4333-8444-555555555555';
const topic = 'ns-555555555555.sensors';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Kafka that takes each change of topics, but where no new one has a leader. */
function leaderless(): KafkaAdmin {
  let names = [topic];
  const metadata = async (): Promise<{ topics: ITopicMetadata[] }> => ({
    topics: names.map((name) => ({ name, partitions: [] })),
  });
  const admin = {
    createTopics: async () => names.push(topic) > 0,
    deleteTopics: async () => {
      names = [];
    },
    listTopics: async () => names,
    fetchTopicMetadata: metadata,
    describeAcls: async () => ({
      resources: [
        { acls: [{ principal: `User:${subject}`, host: '*', operation: 2, permissionType: 3 }] },
      ],
    }),
  };
  return { ask: (question) => question(admin as unknown as Admin), close: () => {} };
}

const defaults = { partitions: 1, replication: 1, config: {} };

describe('A topic whose leader does not come up', () => {
  it('is told of as such, sooner than a question to Kafka is given up', async () => {
    const topics = new KafkaTopics(leaderless(), defaults);
    const failed = expect(topics.create(topic)).rejects.toMatchObject({ name: 'NotSeen' });
    // A question may take 15 s; making the topic may take some of them.
    await vi.advanceTimersByTimeAsync(10_000);
    await failed;
  });

  it('is told to be deleted where it was to be made anew', async () => {
    const kafka = leaderless();
    const namespaces = new Namespaces(new AccessRights(kafka), new KafkaTopics(kafka, defaults));
    const identity = { subject, username: null };
    const recreated = namespaces.recreateTopic(identity, 'ns-555555555555', 'sensors');
    const failed = expect(recreated).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/sensors is deleted with its records.*register it again/),
    });
    await vi.advanceTimersByTimeAsync(10_000);
    await failed;
  });
});
