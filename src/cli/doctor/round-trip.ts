/** One record, written and read back. */
import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { readTopic } from '../../consume/read-topic.ts';
import { diagnosticsChannelName } from '../../diagnostics.ts';
import { DiasporaError } from '../../errors.ts';
import type { ConnectionOptions } from '../../options.ts';
import { DiasporaLogger } from '../../produce/logger.ts';
import { type Finding, ok, warning } from './examination.ts';

/** Marks the record as nobody's log, for who filters: `tail` by `--header`. */
const markHeader = 'diaspora-logger-doctor';

/** What a record learnt on its way. */
export interface RoundTrip {
  /** How far the broker's clock is ahead of this one, in milliseconds; null where the topic keeps the times of its writers. */
  readonly brokerAheadMs: number | null;
  /** The broker refused this clock's time. */
  readonly timeRefused: boolean;
}

export interface RoundTripOptions {
  readonly connection: ConnectionOptions;
  readonly topic: string;
  readonly mayRead: boolean;
  /** Milliseconds that writing may take. */
  readonly writeTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** The record stays in the topic. Throws what the producer and the reader throw. */
export async function examineRoundTrip(options: RoundTripOptions): Promise<Finding<RoundTrip>> {
  const { connection, topic, mayRead, writeTimeoutMs, signal } = options;
  const mark = randomUUID();
  const quiet = { ...connection, diagnostics: 'silent' };
  const producer = new DiasporaLogger({ ...quiet, deliveryTimeoutMs: writeTimeoutMs });
  const watch = new TimeRefusals();
  const sentAt = Date.now();
  const startedAt = performance.now();
  try {
    const value = {
      level: 20,
      time: sentAt,
      msg: 'diaspora-logger doctor: one record, to see whether it comes back',
    };
    const headers = { [markHeader]: mark };
    const stored = await producer.send(topic, value, { headers, timestamp: sentAt });
    const writeMs = performance.now() - startedAt;
    const keepsTimes = stored.timestamp === sentAt || watch.seen;
    const learnt = {
      brokerAheadMs: keepsTimes ? null : stored.timestamp - (sentAt + writeMs / 2),
      timeRefused: watch.seen,
    };
    const { partition, offset } = stored;
    const written = `written to partition ${partition}, offset ${offset ?? '(not told)'}, in ${Math.round(writeMs)} ms`;
    if (!mayRead || offset === null) {
      const why = mayRead ? 'the broker did not tell where it is' : 'there is no right to read';
      return warning(learnt, `${written}; not read back: ${why}`);
    }
    const readAt = performance.now();
    const from = { offsets: new Map([[partition, offset]]) };
    for await (const record of readTopic({ ...quiet, topic }, { from, to: 'end', signal })) {
      const isMine = record.headers.some(
        ([name, bytes]) => name === markHeader && String(bytes) === mark,
      );
      if (!isMine) continue;
      return ok(learnt, `${written}; read back in ${Math.round(performance.now() - readAt)} ms`);
    }
    signal.throwIfAborted();
    throw new DiasporaError(
      'RECORD_NOT_READ',
      `The record was ${written}, and not read back. Look at the retention of the topic, and at the broker's log.`,
    );
  } finally {
    watch.close();
    await producer.close({ timeoutMs: 0 });
  }
}

/** Whether a broker refused times of this clock: the producer gets round it, and says so. */
class TimeRefusals {
  seen = false;
  readonly #listen = (message: unknown): void => {
    if (Object(message).code === 'CLOCK_SKEW') this.seen = true;
  };

  constructor() {
    subscribe(diagnosticsChannelName, this.#listen);
  }

  close(): void {
    unsubscribe(diagnosticsChannelName, this.#listen);
  }
}
