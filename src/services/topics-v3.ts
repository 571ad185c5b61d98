/** Topics as v3 of the service has them: in a namespace of one's own, `ns-…`. */
import type { DoneAnswer } from './service-answer.ts';
import type { ServiceRequest, ServiceRequests } from './service-requests.ts';
import { namespaceOf } from './subject.ts';
import { pathSegment } from './topic-name.ts';
import {
  changeOf,
  namesIn,
  type TopicChange,
  type Topics,
  withoutTopic,
  withTopic,
} from './topics.ts';

/** The public service waits 5 s between deleting a topic and making it again, in milliseconds; brokers take their time as well. */
const recreateTimeoutMs = 60_000;

/**
 * The service answers `success` also where there was nothing to do, and only its words tell; so one's topics
 * are listed before each change, and `no-op` never depends on how a sentence is put.
 */
export class TopicsV3 implements Topics {
  readonly #requests: ServiceRequests;
  readonly #subject: () => Promise<string>;

  constructor(requests: ServiceRequests, subject: () => Promise<string>) {
    this.#requests = requests;
    this.#subject = subject;
  }

  async list(): Promise<string[]> {
    return (await this.#registered()) ?? [];
  }

  async register(topic: string): Promise<TopicChange> {
    const path = await this.#pathOf(topic);
    const before = await this.#registered();
    // Nobody has a namespace before the first request for one: topics would be refused.
    if (before === null) await this.#ask('POST', '/user', 'to make a namespace');
    const purpose = `to register the topic ${JSON.stringify(topic)}`;
    const done = await this.#ask('POST', path, purpose);
    const status = before?.includes(topic) ? 'no-op' : done.status;
    return changeOf({ ...done, status }, withTopic(before ?? [], topic));
  }

  async unregister(topic: string): Promise<TopicChange> {
    const path = await this.#pathOf(topic);
    const before = await this.#registered();
    if (!before?.includes(topic)) return nothingToDo(topic, before);
    const purpose = `to unregister the topic ${JSON.stringify(topic)}`;
    return changeOf(await this.#ask('DELETE', path, purpose), withoutTopic(before, topic));
  }

  async recreate(topic: string): Promise<TopicChange> {
    const path = await this.#pathOf(topic);
    const before = await this.#registered();
    if (!before?.includes(topic)) return nothingToDo(topic, before);
    const done = await this.#requests.ask({
      method: 'PUT',
      path: `/api/v3${path}/recreate`,
      purpose: `to recreate the topic ${JSON.stringify(topic)}`,
      subject: await this.#subject(),
      // It would end what was written meanwhile.
      repeatable: false,
      leastTimeoutMs: recreateTimeoutMs,
    });
    return changeOf(done, before);
  }

  /** Null where there is no namespace yet. */
  async #registered(): Promise<string[] | null> {
    const { body } = await this.#ask('GET', '/namespace', 'to list topics');
    const namespaces: Readonly<Record<string, unknown>> = Object(body['namespaces']);
    return namesIn(namespaces[namespaceOf(await this.#subject())]);
  }

  async #pathOf(topic: string): Promise<string> {
    return `/${namespaceOf(await this.#subject())}/${pathSegment(topic)}`;
  }

  async #ask(method: ServiceRequest['method'], path: string, purpose: string): Promise<DoneAnswer> {
    const subject = await this.#subject();
    return this.#requests.ask({
      method,
      path: `/api/v3${path}`,
      purpose,
      subject,
      repeatable: true,
    });
  }
}

const nothingToDo = (topic: string, topics: readonly string[] | null): TopicChange => ({
  status: 'no-op',
  message: `The topic ${JSON.stringify(topic)} is not registered.`,
  topics: topics ?? [],
});
