/** One admin client of kafkajs for the whole service: connected when first needed, and made anew when it fails. */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import kafkajs, { type Admin } from 'kafkajs';
import { type KafkaAccess, kafkajsAccess } from './kafka-access.ts';
import { Refusal } from './refusal.ts';

const { Kafka, KafkaJSAggregateError, KafkaJSProtocolError, logLevel } = kafkajs;

/** For how long one question may go unanswered, tries included, in milliseconds. */
const questionMs = 15_000;

export interface KafkaAdmin {
  /**
   * @throws Refusal where Kafka cannot be reached or does not answer in time. What a broker answers is thrown
   * as it is. Where a connection fails the question is asked once more: only ask what may be asked twice.
   */
  ask<T>(question: (admin: Admin) => Promise<T>): Promise<T>;
  close(): void;
}

interface Client {
  readonly admin: Admin;
  readonly connected: Promise<void>;
  /** Breaks its connections, and lets it open no others. */
  readonly destroy: () => void;
}

export function kafkaAdmin(access: KafkaAccess): KafkaAdmin {
  let client: Client | null = null;
  let isClosed = false;

  /** kafkajs does not come back from every fault: what failed is thrown away, with its sockets. */
  const drop = (failed: Client): void => {
    if (client === failed) client = null;
    failed.connected.then(() => failed.admin.disconnect()).catch(() => {});
    failed.destroy();
  };

  const tryOnce = async <T>(question: (admin: Admin) => Promise<T>): Promise<T> => {
    // What still waits in line when the service ends must not connect anew.
    if (isClosed) throw new Error('The service has ended.');
    client ??= connectClient(access);
    const used = client;
    try {
      return await inTime(used.connected.then(() => question(used.admin)));
    } catch (error) {
      if (isConnectionFault(error)) drop(used);
      throw error;
    }
  };

  return {
    async ask(question) {
      try {
        return await tryOnce(question);
      } catch (error) {
        if (!isConnectionFault(error)) throw error;
        if (error instanceof Unanswered) throw unavailable(error);
      }
      try {
        return await tryOnce(question);
      } catch (error) {
        throw isConnectionFault(error) ? unavailable(error) : error;
      }
    },
    close() {
      isClosed = true;
      if (client) drop(client);
    },
  };
}

function connectClient(access: KafkaAccess): Client {
  const sockets = new Set<Socket>();
  let isDestroyed = false;
  const kafka = new Kafka({
    ...kafkajsAccess(access),
    clientId: 'topic-service',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry: { retries: 4, initialRetryTime: 50, maxRetryTime: 500 },
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const socket = ssl
        ? connectTls({ host, port, servername: host, ...ssl }, onConnect)
        : connectPlain({ host, port }, onConnect);
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
      // What is still under way tries again for a while.
      if (isDestroyed) socket.destroy(givenUp());
      return socket.setKeepAlive(true, 60_000);
    },
  });
  const admin = kafka.admin();
  const connected = admin.connect();
  // Whoever asks hears of it.
  connected.catch(() => {});
  return {
    admin,
    connected,
    destroy() {
      isDestroyed = true;
      for (const socket of sockets) socket.destroy(givenUp());
    },
  };
}

/** With an error: of a connection that just closes kafkajs goes on waiting for answers. */
const givenUp = (): Error => new Error('The connection was given up.');

class Unanswered extends Error {}

/** A change that Kafka has taken, and that no broker that was asked has seen in time. */
export class NotSeen extends Error {
  override readonly name = 'NotSeen';

  constructor(what: string) {
    super(`Brokers have not seen in time: ${what}.`);
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unanswered('Kafka did not answer.')), questionMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Everything but a broker's answer and the service's own: kafkajs has many words for a lost connection. */
const isConnectionFault = (error: unknown): boolean =>
  !(error instanceof Refusal || error instanceof NotSeen) && brokerAnswer(error) === null;

/** Kafka's name of the error that a broker answered, such as `INVALID_TOPIC_EXCEPTION`; null where it is none. */
export function brokerAnswer(error: unknown): string | null {
  if (error instanceof KafkaJSProtocolError) return error.type;
  if (error instanceof KafkaJSAggregateError) {
    return error.errors.map(brokerAnswer).find((type) => type !== null) ?? null;
  }
  return error instanceof Error && error.cause !== undefined ? brokerAnswer(error.cause) : null;
}

function unavailable(cause: unknown): Refusal {
  return new Refusal(
    503,
    'KAFKA_UNAVAILABLE',
    'Kafka does not answer the topic service just now. Try again in a moment.',
    { retryAfter: 5, cause, kind: 'failure' },
  );
}
