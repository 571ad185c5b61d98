/** Every door of the package, opened with the same options. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import pino from 'pino';
import winston from 'winston';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import { type DiagnosticEvent, diagnosticsChannelName } from '../../../src/diagnostics.ts';
import type { ConnectionOptions } from '../../../src/options.ts';
import { DiasporaLogger } from '../../../src/produce/logger.ts';
import openPino from '../../../src/transports/pino.ts';
import { DiasporaTransport } from '../../../src/transports/winston.ts';
import { uniqueTopic } from '../../shared-stack.ts';

/** What the package says is looked at here, and not on stderr. */
const silent = { diagnostics: 'silent' } as const;

/** What is no trouble. */
const news = new Set(['CONNECTED', 'TOKEN_REFRESHED', 'DELIVERY_RESUMED']);

/** What was said so far, but for what is no trouble. */
export class Said implements Disposable {
  readonly events: DiagnosticEvent[] = [];
  #wake: () => void = () => {};

  constructor() {
    subscribe(diagnosticsChannelName, this.#hear);
  }

  readonly #hear = (message: unknown): void => {
    const event = message as DiagnosticEvent;
    if (news.has(event.code)) return;
    this.events.push(event);
    this.#wake();
  };

  /** The first of all, or of one code. */
  async first(code?: string): Promise<DiagnosticEvent> {
    for (;;) {
      const found = this.events.find((event) => code === undefined || event.code === code);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  codes(): readonly string[] {
    return this.events.map(({ code }) => code);
  }

  [Symbol.dispose](): void {
    unsubscribe(diagnosticsChannelName, this.#hear);
  }
}

/** Texts that came through, in order of their names, and all that was said of troubles. */
export interface Delivered {
  readonly texts: readonly string[];
  readonly said: readonly string[];
}

/** One record by each of Pino, Winston and `DiasporaLogger`, read by `DiasporaConsumer`. */
export async function deliverByAll(options: ConnectionOptions, topic: string): Promise<Delivered> {
  using said = new Said();
  await byPino(options, topic);
  await byWinston(options, topic);
  await using logger = new DiasporaLogger({ ...silent, ...options });
  await logger.send(topic, { msg: 'logger' });
  const texts = await read(options, topic, 3);
  return { texts, said: said.events.map(({ code, message }) => `${code}: ${message}`) };
}

async function byPino(options: ConnectionOptions, topic: string): Promise<void> {
  const transport = openPino({ ...silent, ...options, topic });
  const closed = once(transport, 'close');
  pino(transport).info('pino');
  transport.end();
  await closed;
}

async function byWinston(options: ConnectionOptions, topic: string): Promise<void> {
  const logger = winston.createLogger({
    transports: [new DiasporaTransport({ ...silent, ...options, topic })],
  });
  const finished = once(logger, 'finish');
  logger.info('winston');
  logger.end();
  await finished;
}

async function read(options: ConnectionOptions, topic: string, count: number): Promise<string[]> {
  await using consumer = new DiasporaConsumer(readerOf(options, topic));
  const texts: string[] = [];
  for await (const { value } of consumer) {
    const { msg, message } = JSON.parse(String(value));
    texts.push(msg ?? message);
    if (texts.length === count) break;
  }
  return texts.sort();
}

const readerOf = (options: ConnectionOptions, topic: string) =>
  ({
    ...silent,
    ...options,
    topic,
    groupId: uniqueTopic('ways'),
    autoOffsetReset: 'earliest',
  }) as const;

/** What a producer says first; `code`: what it says first of this. */
export async function producerSays(
  options: ConnectionOptions,
  topic: string,
  code?: string,
): Promise<DiagnosticEvent> {
  using said = new Said();
  const logger = new DiasporaLogger({ ...silent, ...options });
  void logger.send(topic, 'never delivered');
  const first = await said.first(code);
  await logger.close({ timeoutMs: 0 });
  return first;
}

/** The same of a consumer. */
export async function consumerSays(
  options: ConnectionOptions,
  topic: string,
  code?: string,
): Promise<DiagnosticEvent> {
  using said = new Said();
  const consumer = new DiasporaConsumer(readerOf(options, topic));
  const first = await said.first(code);
  await consumer.close();
  return first;
}
