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

/** `topics` are asked for where the answer has none. */
export async function changeOf(
  { status, message, body }: DoneAnswer,
  topics: () => Promise<string[]>,
): Promise<TopicChange> {
  return { status, message, topics: namesIn(body['topics']) ?? (await topics()) };
}
