/** Topics as Kafka has them: made, deleted, listed. */
import type { Admin } from 'kafkajs';
import { brokerAnswer, type KafkaAdmin, NotSeen } from './kafka-admin.ts';
import { Refusal } from './refusal.ts';
import { Gate } from './waiting-line.ts';

/** How new topics are made. -1 is the brokers' own default. */
export interface NewTopics {
  readonly partitions: number;
  readonly replication: number;
  /** Topic settings by Kafka's names. */
  readonly config: Readonly<Record<string, string>>;
}

const pollMs = 20;
/** For how long a change may stay unseen, in milliseconds: with the change itself below what a question may take. */
const settleMs = 8_000;
/** Changes of topics at the same time: each is a record of the controller's, which others wait for. */
const atOnce = 8;
/** As many may wait for one. */
const inLine = 1_000;

export class KafkaTopics {
  readonly #kafka: KafkaAdmin;
  readonly #defaults: NewTopics;
  readonly #gate = new Gate(atOnce, inLine);

  constructor(kafka: KafkaAdmin, defaults: NewTopics) {
    this.#kafka = kafka;
    this.#defaults = defaults;
  }

  /**
   * Answers when the topic has leaders: true, or false where it was there before.
   *
   * @throws Refusal where Kafka takes the name for another topic's.
   */
  create(topic: string, config: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const { partitions, replication } = this.#defaults;
    const settings = Object.entries({ ...this.#defaults.config, ...config });
    return this.#gate.run(() =>
      this.#kafka.ask(async (admin) => {
        try {
          const made = await admin.createTopics({
            waitForLeaders: false,
            topics: [
              {
                topic,
                numPartitions: partitions,
                replicationFactor: replication,
                configEntries: settings.map(([name, value]) => ({ name, value })),
              },
            ],
          });
          if (made) await settled(admin, topic, true);
          return made;
        } catch (error) {
          // Kafka's metrics have `_` for `.`: of names that differ by these alone it takes one.
          throw brokerAnswer(error) === 'INVALID_TOPIC_EXCEPTION' ? collides(topic) : error;
        }
      }),
    );
  }

  /** Answers when a broker has forgotten the topic; does nothing where there is none. */
  delete(topic: string): Promise<void> {
    return this.#gate.run(() =>
      this.#kafka.ask(async (admin) => {
        try {
          await admin.deleteTopics({ topics: [topic] });
        } catch (error) {
          if (brokerAnswer(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        }
        await settled(admin, topic, false);
      }),
    );
  }

  /** Names of all topics that begin so, without the beginning, in order. */
  async withPrefix(prefix: string): Promise<string[]> {
    const names = await this.#kafka.ask((admin) => admin.listTopics());
    return names
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .sort();
  }
}

async function settled(admin: Admin, topic: string, wanted: boolean): Promise<void> {
  const until = performance.now() + settleMs;
  while ((await isThere(admin, topic)) !== wanted) {
    if (performance.now() > until)
      throw new NotSeen(`that ${topic} is ${wanted ? 'there' : 'gone'}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

async function isThere(admin: Admin, topic: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
  } catch (error) {
    const answer = brokerAnswer(error);
    if (answer === 'UNKNOWN_TOPIC_OR_PARTITION' || answer === 'LEADER_NOT_AVAILABLE') return false;
    throw error;
  }
}

const collides = (topic: string): Refusal =>
  new Refusal(
    409,
    'TOPIC_NAME_COLLIDES',
    `The name ${topic} is too much like that of another topic: Kafka takes dots and underscores for the same.`,
    { field: 'topic_name', kind: 'failure' },
  );
