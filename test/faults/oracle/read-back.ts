/** What a topic tells of the apps that logged to it, read by Kafka's own Java client. */
import { type Audit, auditTopic, sourceSequenceHeader } from '../../../stack/audit.ts';
import type { TopicRecord } from '../../../stack/read-topic.ts';
import type { StackClient } from '../../../stack/stack-client.ts';
import { type Front, fronts } from '../driving/logging-app.ts';

/** Of the records of one front. */
export interface Delivered {
  readonly records: number;
  readonly lost: number;
  /**
   * Their numbers, as the app counted them: the first is 0. Where several apps of the front have written, what is missing
   * at an end is numbered as that of the last.
   */
  readonly missing: readonly number[];
  readonly repeated: number;
  /** Within a partition. */
  readonly reordered: number;
  /** The longest time in which the broker stored no record, in milliseconds. */
  readonly longestGapMs: number;
  /** The longest time from the log call to the broker's own clock at storing, in milliseconds. */
  readonly longestWaitMs: number;
}

/** Settings of a topic that tells when the broker stored each record. */
export const arrivalTimes = { 'message.timestamp.type': 'LogAppendTime' };

/**
 * Goes by the apps' own numbers and by the package's marks: what is lost, repeated or reordered counts by whichever tells of
 * more.
 *
 * @param written how many records each front logged.
 * @throws Error where the topic holds a record that no front wrote.
 */
export async function readBack(
  stack: Pick<StackClient, 'readTopic'>,
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
  /** By app. */
  readonly #numbers = new Map<number, Set<number>>();
  /** The highest number before, by app and partition. */
  readonly #highest = new Map<string, number>();
  #repeated = 0;
  #reordered = 0;
  #longestWaitMs = 0;

  add({ headers, partition, timestamp, value }: TopicRecord): void {
    const header = (name: string): string =>
      String(headers.find(([given]) => given === name)?.[1] ?? '');
    this.#sources.add(header('source-id'));
    this.#sequences.add(`${header('source-id')} ${header(sourceSequenceHeader)}`);
    this.#storedAt.push(timestamp);
    const { app, n, at } = JSON.parse(String(value));
    this.#addNumber(app, n, partition);
    this.#longestWaitMs = Math.max(this.#longestWaitMs, timestamp - at);
  }

  #addNumber(app: number, n: number, partition: number): void {
    const numbers = this.#numbers.get(app) ?? new Set();
    this.#numbers.set(app, numbers);
    if (numbers.has(n)) {
      this.#repeated += 1;
      return;
    }
    numbers.add(n);
    const place = `${app} ${partition}`;
    const before = this.#highest.get(place) ?? -1;
    if (n < before) this.#reordered += 1;
    else this.#highest.set(place, n);
  }

  #missing(written: number): number[] {
    const ends = [...this.#numbers.values()].map(
      (numbers) => 1 + [...numbers].reduce((highest, n) => Math.max(highest, n), -1),
    );
    const within = [...this.#numbers.values()].flatMap((numbers, i) =>
      range(0, ends[i] ?? 0).filter((n) => !numbers.has(n)),
    );
    const atEnd = written - ends.reduce((sum, end) => sum + end, 0);
    const end = ends.at(-1) ?? 0;
    return [...within, ...range(end, end + atEnd)];
  }

  inAudit(audit: Audit, written: number): Delivered {
    const ofFront = ({ sourceId }: { readonly sourceId: string }): boolean =>
      this.#sources.has(sourceId);
    const missing = this.#missing(written);
    const times = this.#storedAt.sort((a, b) => a - b);
    return {
      records: times.length,
      lost: Math.max(missing.length, written - this.#sequences.size),
      missing,
      repeated: Math.max(this.#repeated, audit.repeated.filter(ofFront).length),
      reordered: Math.max(this.#reordered, audit.reordered.filter(ofFront).length),
      longestGapMs: times.reduce((gap, at, i) => Math.max(gap, at - (times[i - 1] ?? at)), 0),
      longestWaitMs: this.#longestWaitMs,
    };
  }
}

/** From the first up to the end, which is not in it; none where the end is no higher. */
function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}
