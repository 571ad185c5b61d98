/** Names of topics, made safe to send: which names there may be is the service's to say. */
import { ConfigurationError } from '../errors.ts';

/** Encoded as one segment of a path. Throws `ConfigurationError` for text that would be another path. */
export function pathSegment(topic: string): string {
  // Dots alone are another path even where they are encoded (https://url.spec.whatwg.org/#double-dot-path-segment).
  if (!isText(topic) || /^\.+$/.test(topic) || topic.includes('/')) throw unfit(topic);
  return encodeURIComponent(topic);
}

/** As a header's value. Throws `ConfigurationError` for text that no header can hold. */
export function headerValue(topic: string): string {
  if (!isText(topic) || !/^[\x21-\x7e]+$/.test(topic)) throw unfit(topic);
  return topic;
}

/** Not empty, no control characters, nothing that is no Unicode. */
function isText(topic: unknown): topic is string {
  return typeof topic === 'string' && topic !== '' && !/[\p{Cc}\p{Cs}]/u.test(topic);
}

function unfit(topic: unknown): ConfigurationError {
  const got = typeof topic === 'string' ? JSON.stringify(topic.slice(0, 60)) : typeof topic;
  return new ConfigurationError(
    `${got} is no name of a topic: use letters, digits, hyphens and underscores.`,
    'topic',
  );
}
