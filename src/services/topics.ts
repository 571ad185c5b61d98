/** One's topics at the Diaspora service: what v3 and v1 do alike. */
import type { DoneAnswer } from './service-answer.ts';

/** What became of a request to change a topic. */
export interface TopicChange {
  /** `no-op` where it was so already. */
  readonly status: 'success' | 'no-op';
  /** The service's own words, where it was asked. */
  readonly message: string;
  /** One's topics now, as `listTopics` names them. */
  readonly topics: readonly string[];
}

/** Each throws what `ServiceRequests.ask` throws, and `ConfigurationError` for a name that cannot be sent. */
export interface Topics {
  list(): Promise<string[]>;
  register(topic: string): Promise<TopicChange>;
  unregister(topic: string): Promise<TopicChange>;
  recreate(topic: string): Promise<TopicChange>;
}

/** Names in a field of an answer; null where there is no list. */
export function namesIn(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : null;
}

/** `topics` are those after the change, where the answer names none: asking for them could fail, though the change was made. */
export const changeOf = (
  { status, message, body }: DoneAnswer,
  topics: readonly string[],
): TopicChange => ({ status, message, topics: namesIn(body['topics']) ?? topics });

export const withTopic = (topics: readonly string[], topic: string): readonly string[] =>
  topics.includes(topic) ? topics : [...topics, topic];

export const withoutTopic = (topics: readonly string[], topic: string): readonly string[] =>
  topics.filter((one) => one !== topic);
