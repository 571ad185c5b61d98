/** A topic of its own for each test, and what came to lie in it. */

import type { TransportOptions } from '../../src/options.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';

/** Plain text, nobody signed in: for tests of what is not about connecting. */
export function plainOptions(topic: string): TransportOptions & { topic: string } {
  return {
    bootstrapBrokers: sharedStack().bootstrap('INTERNAL'),
    auth: { type: 'none' },
    tls: false,
    topic,
  };
}

/** What an app of a Globus user has in its environment. */
export async function signedInEnv(): Promise<Record<string, string>> {
  const stack = sharedStack();
  const { refreshToken } = await stack.globus.signIn();
  return { ...stack.env, DIASPORA_REFRESH: refreshToken };
}

export async function newTopic(prefix: string, partitions = 1): Promise<string> {
  const topic = uniqueTopic(prefix);
  await sharedStack().createTopic(topic, { partitions });
  return topic;
}

/** All that is in the topic now, read by Kafka's own consumer. */
export async function recordsOf(topic: string): Promise<TopicRecord[]> {
  const found: TopicRecord[] = [];
  for await (const record of sharedStack().readTopic(topic)) found.push(record);
  return found;
}

export async function valuesOf(topic: string): Promise<string[]> {
  return (await recordsOf(topic)).map(({ value }) => String(value));
}

/** Each record's field `msg`. */
export async function messagesOf(topic: string): Promise<unknown[]> {
  return (await valuesOf(topic)).map((value) => JSON.parse(value).msg);
}
