/** Kafka's SCRAM users, by Kafka's own admin client in a small JVM, started when first needed: kafkajs has no interface for them. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { spawnJava } from '../java-tools.ts';
import { javaAccess, type KafkaAccess } from './kafka-access.ts';
import { Refusal } from './refusal.ts';

/** Users of SCRAM-SHA-512. Each answers when a broker has seen the change. */
export interface ScramUsers {
  put(user: string, password: string): Promise<void>;
  remove(user: string): Promise<void>;
  exists(user: string): Promise<boolean>;
  /** Names of all users. */
  names(): Promise<string[]>;
  /** Ends the JVM, which ends with this process in any case: its stdin does. */
  close(): void;
}

/** For how long the JVM may take, its start included, in milliseconds. */
const answerMs = 20_000;

const javaOptions = ['-Xms16m', '-Xmx96m', '-XX:+UseSerialGC'];

interface Waiting {
  readonly resolve: (reply: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

export function scramUsers(access: KafkaAccess): ScramUsers {
  let jvm: Promise<ChildProcessWithoutNullStreams> | null = null;
  let closed = false;
  let lastId = 0;
  const waiting = new Map<number, Waiting>();

  const start = async (): Promise<ChildProcessWithoutNullStreams> => {
    const child = await spawnJava('ScramUsers', [], javaOptions);
    let said = '';
    child.stderr.on('data', (data) => {
      said = (said + String(data)).slice(-2_000);
    });
    child.stdin.on('error', () => {});
    const ended = (why: string): void => {
      jvm = null;
      for (const { reject } of waiting.values()) reject(new Error(why));
      waiting.clear();
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (code) => ended(`Kafka's admin client ended with ${code}: ${said}`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const reply: Record<string, unknown> = { ...Object(JSON.parse(line)) };
      const id = Number(reply['id']);
      const asked = waiting.get(id);
      waiting.delete(id);
      if (reply['error'] === undefined) asked?.resolve(reply);
      else asked?.reject(new Error(String(reply['error'])));
    });
    // On stdin, where no list of processes shows it.
    child.stdin.write(`${JSON.stringify(javaAccess(access))}\n`);
    if (closed) child.stdin.end();
    return child;
  };

  const ask = async (request: object): Promise<Readonly<Record<string, unknown>>> => {
    if (closed) throw unavailable(new Error('The service has ended.'));
    let timer: NodeJS.Timeout | undefined;
    lastId += 1;
    const id = lastId;
    try {
      jvm ??= start().catch((error: unknown) => {
        // The next request may fare better.
        jvm = null;
        throw error;
      });
      const reply = new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(new Error('No answer in time.')), answerMs);
      });
      reply.catch(() => {});
      const child = await jvm;
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      return await reply;
    } catch (cause) {
      throw unavailable(cause);
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };

  return {
    async put(user, password) {
      await ask({ action: 'put', user, password });
    },
    async remove(user) {
      await ask({ action: 'remove', user });
    },
    exists: async (user) => (await ask({ action: 'exists', user }))['exists'] === true,
    async names() {
      const { users } = await ask({ action: 'names' });
      return Array.isArray(users) ? users.map(String) : [];
    },
    close() {
      closed = true;
      jvm?.then((child) => child.stdin.end()).catch(() => {});
    },
  };
}

function unavailable(cause: unknown): Refusal {
  return new Refusal(
    503,
    'KAFKA_UNAVAILABLE',
    'Kafka does not answer the topic service about keys just now. Try again in a moment.',
    { retryAfter: 5, cause, kind: 'failure' },
  );
}
