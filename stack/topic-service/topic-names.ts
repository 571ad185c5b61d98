/** Which names topics may have: the form, v1 and v3 each have a rule of their own. */
import { Refusal } from './refusal.ts';

/** Kafka's own limit. https://kafka.apache.org/43/apis/#topics: `Topic.validate` of Kafka's source. */
const longest = 249;

const invalid = (sentence: string): Refusal =>
  new Refusal(400, 'TOPIC_NAME_INVALID', sentence, { field: 'topic_name', kind: 'failure' });

/** @throws Refusal where the claim page does not take the name. */
export function checkFormName(name: string): void {
  if (name === '') throw invalid('A topic name is needed.');
  if (name.startsWith('_')) throw invalid('A topic name cannot start with an underscore.');
  if (!/^[A-Za-z0-9_]+$/.test(name)) {
    throw invalid('A topic name consists of letters (A to Z, a to z), digits and underscores.');
  }
  if (name.length > longest) throw invalid(`A topic name has at most ${longest} characters.`);
}

/** What Kafka takes. @throws Refusal */
export function checkKafkaName(name: string): void {
  if (name === '') throw invalid('A topic name is needed.');
  if (!/^[A-Za-z0-9._-]+$/.test(name) || /^\.{1,2}$/.test(name)) {
    throw invalid('A topic name consists of letters, digits, dots, hyphens and underscores.');
  }
  if (name.length > longest) throw invalid(`A topic name has at most ${longest} characters.`);
}

/**
 * v1 takes what Kafka takes, but for names that are Kafka's own or the service's (two underscores), and
 * those that lie in a namespace of v3, or would collide with one: Kafka takes `.` and `_` for the same.
 *
 * @throws Refusal
 */
export function checkV1Name(name: string): void {
  checkKafkaName(name);
  if (name.startsWith('__') || /^ns-[\da-f]{12}[._]/.test(name)) {
    throw new Refusal(403, 'TOPIC_NAME_RESERVED', `The name ${name} is reserved.`, {
      field: 'topic_name',
      kind: 'failure',
    });
  }
}

/** @throws Refusal where the public service's rule for namespaces and topics is not met. */
export function checkV3Name(name: string): void {
  if (name.length < 3 || name.length > 32) {
    throw invalid('Name must be between 3 and 32 characters.');
  }
  if (!/^[A-Za-z0-9_-]+$/.test(name)) {
    throw invalid('Name can only contain letters, numbers, dash and underscore.');
  }
  if (/^[-_]|[-_]$/.test(name)) {
    throw invalid('Name cannot start or end with hyphen or underscore.');
  }
}
