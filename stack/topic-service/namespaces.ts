/** Topics of v3: each subject has one namespace, and what is in it is the subject's. */
import type { AccessRights } from './access-rights.ts';
import { type Identity, namespaceOf, principalsOf } from './identity.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import { Refusal } from './refusal.ts';
import { checkV3Name } from './topic-names.ts';
import { OnePerName } from './waiting-line.ts';

/** What became of a wish. */
export interface TopicsChanged {
  readonly message: string;
  /** The namespace's topics afterwards, without the namespace. */
  readonly topics: readonly string[];
}

export class Namespaces {
  readonly #rights: AccessRights;
  readonly #topics: KafkaTopics;
  readonly #line = new OnePerName();

  constructor(rights: AccessRights, topics: KafkaTopics) {
    this.#rights = rights;
    this.#topics = topics;
  }

  /**
   * The subject's namespace, made where there is none.
   *
   * @throws Refusal where another subject has the same last 12 digits.
   */
  ensure(identity: Identity): Promise<string> {
    const namespace = namespaceOf(identity.subject);
    return this.#line.run(namespace, async () => {
      const principals = principalsOf(identity);
      const { all, owners } = await this.#rights.holders(inside(namespace));
      if (all.size > 0 && !owners.has(subjectPrincipal(identity))) {
        throw new Refusal(409, 'NAMESPACE_TAKEN', `Namespace already taken: ${namespace}.`, {
          kind: 'failure',
        });
      }
      const lacking = principals.filter((one) => !owners.has(one));
      if (lacking.length > 0) await this.#rights.grant(lacking, inside(namespace));
      return namespace;
    });
  }

  /** Deletes the namespace with its topics. */
  remove(identity: Identity): Promise<void> {
    const namespace = namespaceOf(identity.subject);
    return this.#line.run(namespace, async () => {
      const { all, owners } = await this.#rights.holders(inside(namespace));
      if (!owners.has(subjectPrincipal(identity))) return;
      for (const topic of await this.#topicsIn(namespace)) {
        await this.#topics.delete(`${namespace}.${topic}`);
      }
      // All of them: a user name may have been another one when the rights were given.
      await this.#rights.revoke([...all], inside(namespace));
    });
  }

  /** The subject's namespaces with their topics: one, or none. */
  async list(identity: Identity): Promise<Record<string, readonly string[]>> {
    const namespace = namespaceOf(identity.subject);
    if (!(await this.#exists(namespace, identity))) return {};
    return { [namespace]: await this.#topicsIn(namespace) };
  }

  /** @throws Refusal */
  createTopic(identity: Identity, namespace: string, topic: string): Promise<TopicsChanged> {
    return this.#change(identity, namespace, topic, async (name) => {
      const made = await this.#topics.create(name);
      return made ? `Topic ${topic} created in ${namespace}` : exists(topic, namespace);
    });
  }

  /** @throws Refusal */
  deleteTopic(identity: Identity, namespace: string, topic: string): Promise<TopicsChanged> {
    return this.#change(identity, namespace, topic, async (name, isThere) => {
      if (!isThere) return missing(topic, namespace);
      await this.#topics.delete(name);
      return `Topic ${topic} deleted from ${namespace}`;
    });
  }

  /** Deletes the topic's records with it. @throws Refusal */
  recreateTopic(identity: Identity, namespace: string, topic: string): Promise<TopicsChanged> {
    return this.#change(identity, namespace, topic, async (name, isThere) => {
      if (!isThere) {
        throw new Refusal(404, 'TOPIC_NOT_FOUND', `${missing(topic, namespace)}.`, {
          field: 'topic_name',
          kind: 'failure',
        });
      }
      await this.#topics.delete(name);
      try {
        await this.#topics.create(name);
      } catch (cause) {
        throw new Refusal(
          503,
          'KAFKA_UNAVAILABLE',
          `The topic ${topic} is deleted with its records, but could not be made again: register it again in a moment.`,
          { retryAfter: 5, cause, kind: 'failure' },
        );
      }
      return 'Topic recreated';
    });
  }

  async #change(
    identity: Identity,
    namespace: string,
    topic: string,
    act: (name: string, isThere: boolean) => Promise<string>,
  ): Promise<TopicsChanged> {
    checkV3Name(namespace);
    checkV3Name(topic);
    if (namespace !== namespaceOf(identity.subject)) {
      throw new Refusal(
        403,
        'NAMESPACE_OF_ANOTHER',
        `The namespace ${namespace} is not the subject's own, which is ${namespaceOf(identity.subject)}.`,
        { kind: 'failure' },
      );
    }
    return this.#line.run(namespace, async () => {
      if (!(await this.#exists(namespace, identity))) {
        throw new Refusal(
          404,
          'NAMESPACE_NOT_FOUND',
          `Namespace ${namespace} not found for ${identity.subject}: create the user or a key first.`,
          { kind: 'failure' },
        );
      }
      const before = await this.#topicsIn(namespace);
      const message = await act(`${namespace}.${topic}`, before.includes(topic));
      return { message, topics: await this.#topicsIn(namespace) };
    });
  }

  async #exists(namespace: string, identity: Identity): Promise<boolean> {
    const { owners } = await this.#rights.holders(inside(namespace));
    return owners.has(subjectPrincipal(identity));
  }

  #topicsIn(namespace: string): Promise<string[]> {
    return this.#topics.withPrefix(`${namespace}.`);
  }
}

const inside = (namespace: string) => ({ topicPrefix: `${namespace}.` });
const subjectPrincipal = ({ subject }: Identity): string => `User:${subject}`;
const exists = (topic: string, namespace: string): string =>
  `Topic ${topic} already exists in ${namespace}`;
const missing = (topic: string, namespace: string): string =>
  `Topic ${topic} not found in ${namespace}`;
