/** What a topic tells of the apps that logged to it, read by Kafka's own Java client. */
import { type Audit, auditTopic, sourceSequenceHeader } from '../../stack/audit.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import type { StackClient } from '../../stack/stack-client.ts';
import { type Front, fronts } from './logging-app.ts';

/** Of the records of one front. */
export interface Delivered {
  readonly records: number;
  readonly lost: number;
  /** Their numbers, as the app counted them: the first is 0. */
  readonly missing: readonly number[];
  readonly repeated: number;
  readonly reordered: number;
  /** The longest time in which the broker stored no record, in milliseconds. */
  readonly longestGapMs: number;
  /** The longest time from the log call to the broker's own clock at storing, in milliseconds. */
  readonly longestWaitMs: number;
}

/** Settings of a topic that tells when the broker stored each record. */
export const arrivalTimes = { 'message.timestamp.type': 'LogAppendTime' };

/**
 * @param written how many records each front logged.
 * @throws Error where the topic holds a record that no front wrote.
 */
export async function readBack(
  stack: StackClient,
  topic: string,
  written: Readonly<Record<Front, number>>,
): Promise<Record<Front, Delivered>> {
  const arrivals = { pino: new Arrivals(), winston: new Arrivals() };
  const observed = async function* (): AsyncGenerator<TopicRecord> {
    for await (const record of stack.readTopic(topic)) {
      arrivals[frontOf(record)].add(record);
      yield record;
    }
  };
  const audit = await auditTopic(observed());
  if (audit.unmarked.length > 0) throw new Error(`${audit.unmarked.length} records have no mark.`);
  const delivered = (front: Front): Delivered => ({
    ...arrivals[front].inAudit(audit, written[front]),
  });
  return { pino: delivered('pino'), winston: delivered('winston') };
}

function frontOf({ value }: TopicRecord): Front {
  const { front } = JSON.parse(String(value));
  const known = fronts.find((one) => one === front);
  if (!known) throw new Error(`A record that no app wrote: ${value}`);
  return known;
}

class Arrivals {
  readonly #sources = new Set<string>();
  readonly #storedAt: number[] = [];
  readonly #sequences = new Set<string>();
  readonly #numbers = new Set<number>();
  #longestWaitMs = 0;

  add({ headers, timestamp, value }: TopicRecord): void {
    const header = (name: string): string =>
      String(headers.find(([given]) => given === name)?.[1] ?? '');
    this.#sources.add(header('source-id'));
    this.#sequences.add(`${header('source-id')} ${header(sourceSequenceHeader)}`);
    this.#storedAt.push(timestamp);
    const { n, at } = JSON.parse(String(value));
    this.#numbers.add(n);
    this.#longestWaitMs = Math.max(this.#longestWaitMs, timestamp - at);
  }

  inAudit(audit: Audit, written: number): Delivered {
    const ofFront = ({ sourceId }: { readonly sourceId: string }): boolean =>
      this.#sources.has(sourceId);
    const times = this.#storedAt.sort((a, b) => a - b);
    return {
      records: times.length,
      lost: written - this.#sequences.size,
      missing: Array.from({ length: written }, (_, n) => n).filter((n) => !this.#numbers.has(n)),
      repeated: audit.repeated.filter(ofFront).length,
      reordered: audit.reordered.filter(ofFront).length,
      longestGapMs: times.reduce((gap, at, i) => Math.max(gap, at - (times[i - 1] ?? at)), 0),
      longestWaitMs: this.#longestWaitMs,
    };
  }
}
