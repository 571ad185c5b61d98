/** The topic of a command: its argument, --topic, the options' file or DIASPORA_TOPIC, in this order. */
import { ConfigurationError } from '../errors.ts';
import { isTopic, type RoutingOptions } from '../options.ts';

export interface TopicSources {
  readonly argument: string | undefined;
  readonly flags: { readonly topic?: string };
  readonly routing: Pick<RoutingOptions, 'topic'>;
  readonly env: NodeJS.ProcessEnv;
}

/** Null where none is named. Throws `ConfigurationError` where it cannot be one; what looks like a secret is not repeated. */
export function topicOf({ argument, flags, routing, env }: TopicSources): string | null {
  const given = argument ?? flags.topic ?? routing.topic ?? env['DIASPORA_TOPIC'] ?? '';
  const topic = given.trim();
  if (topic === '') return null;
  if (isTokenLike(topic)) {
    throw new ConfigurationError(
      'What is given as the topic looks like a token, and is not shown. The topic goes into --topic or DIASPORA_TOPIC; a refresh token goes into DIASPORA_REFRESH.',
      'topic',
    );
  }
  if (isTopic(topic)) return topic;
  throw new ConfigurationError(
    `${JSON.stringify(given)} cannot be a topic: Kafka takes 1 to 249 letters, digits, ".", "_" and "-".`,
    'topic',
  );
}

/** As `topicOf`, for a command (its name) that does nothing without one. */
export function requiredTopic(sources: TopicSources, command: string): string {
  const topic = topicOf(sources);
  if (topic !== null) return topic;
  throw new ConfigurationError(
    `No topic: name it, as in "diaspora-logger ${command} my-topic", or set DIASPORA_TOPIC.`,
    'topic',
  );
}

const uuid = /[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}/gi;

/**
 * A JSON Web Token, or what is as long as Globus's tokens and AWS's secret keys, and as mixed: names are long, too, but have words, and
 * digits at their ends. One in 40 of those keys has fewer digits; shorter passwords, and those of hexadecimal digits, are like names.
 */
export function isTokenLike(topic: string): boolean {
  if (/(?:^|\s)eyJ[\w-]+\.[\w-]+/.test(topic)) return true;
  const [longest = ''] = (topic.replaceAll(uuid, '').match(/[\w+/=-]{37,}/g) ?? []).toSorted(
    (a, b) => b.length - a.length,
  );
  const isLikeAwsKey = /^[A-Za-z\d+/]{40}$/.test(longest);
  const digitsInside = longest.match(/(?<=[A-Za-z])\d+(?=[A-Za-z])/g) ?? [];
  return (
    /[a-z]/.test(longest) && /[A-Z]/.test(longest) && digitsInside.length >= (isLikeAwsKey ? 2 : 3)
  );
}
