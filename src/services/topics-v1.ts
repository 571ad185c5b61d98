/** Topics as v1 of the service has them: names as Kafka has them, which are everybody's. */
import { ConfigurationError } from '../errors.ts';
import type { DoneAnswer } from './service-answer.ts';
import type { ServiceRequests } from './service-requests.ts';
import { headerValue } from './topic-name.ts';
import {
  changeOf,
  namesIn,
  type TopicChange,
  type Topics,
  withoutTopic,
  withTopic,
} from './topics.ts';

export class TopicsV1 implements Topics {
  readonly #requests: ServiceRequests;
  readonly #subject: () => Promise<string>;

  constructor(requests: ServiceRequests, subject: () => Promise<string>) {
    this.#requests = requests;
    this.#subject = subject;
  }

  async list(): Promise<string[]> {
    const { body } = await this.#requests.ask({
      method: 'GET',
      path: '/v1/list_topics',
      purpose: 'to list topics',
      subject: await this.#subject(),
      repeatable: true,
    });
    return namesIn(body['topics']) ?? [];
  }

  async register(topic: string): Promise<TopicChange> {
    const name = headerValue(topic);
    const before = await this.list();
    return changeOf(await this.#ask('register', name), withTopic(before, topic));
  }

  async unregister(topic: string): Promise<TopicChange> {
    const name = headerValue(topic);
    const before = await this.list();
    return changeOf(await this.#ask('unregister', name), withoutTopic(before, topic));
  }

  async recreate(): Promise<TopicChange> {
    throw new ConfigurationError(
      'Only v3 of the Diaspora service recreates topics: leave out apiVersion.',
      'apiVersion',
    );
  }

  async #ask(action: 'register' | 'unregister', topic: string): Promise<DoneAnswer> {
    return this.#requests.ask({
      method: 'POST',
      path: `/v1/${action}_topic`,
      purpose: `to ${action} the topic ${JSON.stringify(topic)}`,
      topic,
      subject: await this.#subject(),
      // The second time there is nothing to do.
      repeatable: true,
    });
  }
}
