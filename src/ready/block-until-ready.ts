/** Waits until one can produce and consume: a new key works only after a while. */
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../back-off.ts';
import { AuthenticationError, ConfigurationError, ServiceError } from '../errors.ts';
import { type ConnectionOptions, isTopic, resolveProducer } from '../options.ts';
import { DiasporaLogger } from '../produce/logger.ts';
import { CredentialsRefused } from '../wire/sign-in.ts';
import { ProgressTeller, progressLines, type ReadyProgress } from './progress.ts';
import { connectionTestTopic, testConnection } from './round-trip.ts';
import { TimeLimit } from './time-limit.ts';

export type { ReadyProgress } from './progress.ts';
export type { ReadyStep } from './round-trip.ts';

/** What is waited for, and how long. Beside it, `diagnostics` is `silent` by default: what fails is told as progress. */
export interface ReadyOptions extends ConnectionOptions {
  /** Above 0, at most 1,440. Default 5. */
  readonly maxMinutes?: number;
  /** Where the record goes. Default for `auth.type` `diaspora`: `<namespace>.connection-test`, registered where it is missing; v1: `__connection_test`. */
  readonly topic?: string;
  /** Ends the waiting: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Is told after each try that failed, and every 5 s. What it throws is ignored. Default: lines on stderr. */
  readonly onProgress?: (progress: ReadyProgress) => void;
}

/** Waiting between tries, in milliseconds. */
const pauses = { minMs: 500, maxMs: 2_000 } as const;

/** A record of a try that was given up is not sent any more after so many milliseconds: the next try sends its own. */
const deliveryTimeoutMs = 20_000;

/**
 * True once a record was produced and this very record read back; false where that did not come about within `maxMinutes`, and at
 * most ten seconds that closing may take. By default with the service key, `auth: { type: 'diaspora' }`, which is
 * made where there is none. What may pass is waited for: a key or a right that the brokers do not know yet, brokers and
 * services that are down. Throws `ConfigurationError`, and `AuthenticationError` or `ServiceError` where only a
 * person can help: nobody is signed in, or the service refuses.
 *
 * @example
 * if (!(await blockUntilReady({ maxMinutes: 2 }))) throw new Error('The key does not work.');
 */
export async function blockUntilReady(options: ReadyOptions = {}): Promise<boolean> {
  const { maxMinutes = 5, topic, signal, onProgress = progressLines(), ...given } = options;
  requireMinutes(maxMinutes);
  const connection: ConnectionOptions = {
    auth: { type: 'diaspora' },
    requestTimeoutMs: 10_000,
    diagnostics: 'silent',
    ...given,
  };
  resolveProducer(connection);
  requireTopic(topic, connection);
  signal?.throwIfAborted();
  const limit = new TimeLimit(maxMinutes * 60_000, signal);
  const progress = new ProgressTeller(limit, onProgress);
  const producer = new DiasporaLogger({ ...connection, deliveryTimeoutMs });
  try {
    await tryUntilReady({ producer, connection, topic, signal: limit.signal, progress });
    return true;
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    signal?.throwIfAborted();
    return false;
  } finally {
    limit.close();
    progress.close();
    await producer.close({ timeoutMs: 0 });
  }
}

interface Waiting {
  readonly producer: DiasporaLogger;
  readonly connection: ConnectionOptions;
  readonly topic: string | undefined;
  /** Ends the tries. */
  readonly signal: AbortSignal;
  readonly progress: ProgressTeller;
}

/** Throws where only a person can help, and where the signal is aborted. */
async function tryUntilReady(waiting: Waiting): Promise<void> {
  const { producer, connection, signal, progress } = waiting;
  const onStep = progress.reach.bind(progress);
  let { topic } = waiting;
  for (;;) {
    progress.begin();
    try {
      topic ??= await connectionTestTopic(connection, signal);
      return await testConnection({ producer, connection, topic, signal, onStep });
    } catch (error) {
      if (signal.aborted || isFinal(error)) throw error;
      progress.fail(error);
    }
    const pause = Math.max(pauses.minMs, backOff(progress.attempt, pauses));
    await delay(pause, undefined, { signal });
  }
}

/** What brokers refuse may be too new for them. What others refuse stays refused. */
function isFinal(error: unknown): boolean {
  if (error instanceof ConfigurationError) return true;
  if (error instanceof CredentialsRefused) return false;
  if (error instanceof AuthenticationError || error instanceof ServiceError)
    return !error.retriable;
  return false;
}

function requireMinutes(maxMinutes: unknown): void {
  if (typeof maxMinutes === 'number' && maxMinutes > 0 && maxMinutes <= 1_440) return;
  throw new ConfigurationError(
    'Option "maxMinutes" takes a number of minutes above 0 and up to 1,440.',
    'maxMinutes',
  );
}

function requireTopic(topic: unknown, { auth }: ConnectionOptions): void {
  if (topic === undefined && auth?.type === 'diaspora') return;
  if (isTopic(topic)) return;
  throw new ConfigurationError(
    topic === undefined
      ? `Option "topic" is needed where auth.type is "${auth?.type ?? 'globus'}": a record is written there, and read back.`
      : 'Option "topic" takes a topic name: 1 to 249 letters, digits, dots, hyphens or underscores.',
    'topic',
  );
}
