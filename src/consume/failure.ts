/** What a failure inside kafkajs means to an operator, and what to do about it. */
import {
  type BrokerFault,
  isNotTls,
  socketFault,
  speaksPlainText,
  speaksTls,
  unreachable,
} from '../broker-faults.ts';
import { AuthenticationError } from '../errors.ts';
import { shownWords } from '../shown-words.ts';

/** What was tried when it failed. */
export interface Attempt {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Whether connections are encrypted. */
  readonly encrypted: boolean;
  /** Whether a broker has ever answered: where one has, its port speaks what this client speaks. */
  readonly answered: boolean;
  /** Whether a member of the group was finding out where to go on, and is still a member. Default: false. */
  readonly placing?: boolean;
  /** What to do where the brokers refuse the sign-in: a sentence. Default: `Check auth.` */
  readonly remedy?: string;
  /** Tokens or passwords that the brokers were shown, in case they repeat one. Default: none. */
  readonly secrets?: readonly string[];
}

/** Null where nothing is to be said, since the source of access tokens has said it. */
export function failureOf(error: unknown, attempt: Attempt): BrokerFault | null {
  const chain = causes(error);
  if (chain.some((cause) => cause instanceof AuthenticationError)) return null;
  for (const cause of chain) {
    const failure = known(cause, attempt);
    if (failure) return failure;
  }
  if (attempt.placing) {
    return {
      code: 'BROKER_ERROR',
      message: `The brokers do not tell where group ${attempt.groupId} goes on (${failureMessage(error)}).`,
    };
  }
  return {
    code: 'CONSUMER_RESTARTED',
    message: `The consumer of group ${attempt.groupId} stopped (${failureMessage(error)}).`,
  };
}

/** The innermost message: kafkajs wraps it in news of its own retries. */
export function failureMessage(error: unknown): string {
  return causes(error).at(-1)?.message ?? String(error);
}

function known(error: Error, attempt: Attempt): BrokerFault | null {
  const { groupId, topics } = attempt;
  switch (textOf(error, 'type')) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return {
        code: 'TOPIC_UNKNOWN',
        message: `${subject(topics)} does not exist: check the spelling; else create or claim it.`,
      };
    // A broker with access rules answers so for a topic that does not exist, too.
    case 'TOPIC_AUTHORIZATION_FAILED':
      return {
        code: 'READ_DENIED',
        message: `${subject(topics)} does not exist, or this account may not read it (the broker does not tell which): check the spelling; else claim it, or ask its owner.`,
      };
    case 'GROUP_AUTHORIZATION_FAILED':
      return {
        code: 'READ_DENIED',
        message: `This account may not use consumer group ${groupId}: take a groupId that it may use, or ask for the READ right on this one.`,
      };
  }
  switch (error.name) {
    case 'KafkaJSSASLAuthenticationError':
      return signInFailure(error, attempt);
    // kafkajs keeps to itself what the brokers answered.
    case 'KafkaJSGroupCoordinatorNotFound':
      return {
        code: 'READ_DENIED',
        message: `The brokers do not tell which of them coordinates consumer group ${groupId}: this account may not use it (take a groupId that it may use, or ask for the READ right on this one), or the coordinator is not available just now.`,
      };
    case 'KafkaJSConnectionError':
      return connectionFailure(error, attempt);
    case 'KafkaJSConnectionClosedError':
      return hungUp(nameOf(error), 'it closed the connection', attempt);
    case 'KafkaJSRequestTimeoutError':
      return {
        code: 'REQUEST_TIMED_OUT',
        message: `The request to ${nameOf(error)} was not answered within requestTimeoutMs. Check the network, and that the broker runs.`,
      };
  }
  return null;
}

function subject(topics: readonly string[]): string {
  const [topic = ''] = topics;
  return topics.length > 1 ? `One of the topics ${topics.join(', ')}` : `Topic ${topic}`;
}

/** kafkajs's words for a sign-in that had no answer: its error says no more, and is that of a refusal. */
const signInTimedOut = / authentication failed: Request \w+\(key: \d+, version: \d+\) timed out$/;
const signInBroke = / authentication failed: (?:Connection error: (.+)|Not connected)$/;

/** A broker that closes the connection refuses. */
function signInFailure(
  { message }: Error,
  { remedy = 'Check auth.', secrets = [] }: Attempt,
): BrokerFault {
  if (signInTimedOut.test(message)) {
    return {
      code: 'REQUEST_TIMED_OUT',
      message:
        'The sign-in at a broker was not answered within requestTimeoutMs. Check the network, and that the broker runs.',
    };
  }
  const broke = signInBroke.exec(message);
  if (broke) {
    const [, why = 'it was closed before'] = broke;
    return {
      code: 'CONNECTION_LOST',
      message: `The connection to a broker broke during the sign-in (${why}).`,
    };
  }
  return {
    code: 'SIGN_IN_REFUSED',
    message: `The brokers refused the sign-in (${shownWords(message, secrets)}). ${remedy}`,
  };
}

const brokeOff = /^(ECONNRESET|EPIPE)$/;

/** By the code of the socket's error, which kafkajs hands on. */
function connectionFailure(error: Error, attempt: Attempt): BrokerFault {
  const broker = nameOf(error);
  const code = textOf(error, 'code');
  const fault = socketFault(broker, code, error.message.replace(/^Connection error: /, ''));
  if (fault) return fault;
  if (isNotTls(code)) return speaksPlainText(broker, code);
  if (brokeOff.test(code)) return hungUp(broker, code, attempt);
  return unreachable(broker, code || 'no answer in time');
}

/**
 * A broker breaks off at once what it does not understand: plain text where it wants TLS, and TLS
 * where it wants plain text (to Kafka a request of hundreds of megabytes).
 */
function hungUp(broker: string, why: string, { encrypted, answered }: Attempt): BrokerFault {
  if (answered) {
    return { code: 'CONNECTION_LOST', message: `The connection to ${broker} broke (${why}).` };
  }
  return encrypted ? speaksPlainText(broker, why) : speaksTls(broker, why);
}

/** As it stands in the middle of a sentence. */
function nameOf(error: Error): string {
  const broker = textOf(error, 'broker');
  return broker === '' ? 'a broker' : `broker ${broker}`;
}

function textOf(error: Error, property: 'type' | 'code' | 'broker'): string {
  const value: unknown = Reflect.get(error, property);
  return typeof value === 'string' ? value : '';
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at);
  return found;
}
