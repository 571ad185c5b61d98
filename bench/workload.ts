/** What is logged: 291 bytes a line as Pino writes it, like the access log of a web service. */
import pino, { type Logger } from 'pino';

/** The fields that an app hands to its logger. */
export interface LoggedFields {
  readonly reqId: string;
  readonly req: { readonly method: string; readonly url: string; readonly remoteAddress: string };
  readonly responseTime: number;
}

/** Records in a batch, for every contestant. */
export const batchRecords = 1_000;

/** Partitions of each contestant's topic. */
export const partitions = 3;

const lineBytes = 291;

/** What every line has beside its fields, so that its length does not depend on the machine. */
export const base = { pid: 4711, hostname: 'node-17.cluster.example.org' } as const;

const levelAndTime = '{"level":30,"time":1750000000000'.length;

/** So many records' fields and their message, which pads the line to its length. */
export function workload(
  count: number,
): { readonly fields: LoggedFields; readonly message: string }[] {
  return Array.from({ length: count }, (_, index) => {
    const fields = {
      reqId: `req-${index.toString(36)}`,
      req: { method: 'GET', url: `/api/v1/items/${index}?page=2`, remoteAddress: '192.0.2.17' },
      responseTime: 12.5 + (index % 97),
    };
    const rest = JSON.stringify({ ...base, ...fields, msg: 'request completed' }).length;
    const missing = lineBytes - levelAndTime - rest;
    return {
      fields,
      message: `request completed${paragraph.slice(index % 61, (index % 61) + missing)}`,
    };
  });
}

/** The same as lines without their newlines, written by Pino itself. */
export function lines(count: number): string[] {
  const written: string[] = [];
  const logger = pino({ base }, { write: (line) => written.push(line.slice(0, -1)) });
  for (const { fields, message } of workload(count)) logger.info(fields, message);
  return written;
}

/**
 * Logs so many records at a time, then lets the event loop turn, as it does in an app between two
 * requests: Pino hands lines to its worker only then. Answers the milliseconds that the calls took.
 */
export async function logInBursts(
  logger: Logger,
  records: ReturnType<typeof workload>,
  burst: number = batchRecords,
  pause: () => Promise<unknown> = nextTurn,
): Promise<number> {
  let milliseconds = 0;
  for (let start = 0; start < records.length; start += burst) {
    const begun = performance.now();
    const end = Math.min(start + burst, records.length);
    for (let index = start; index < end; index += 1) {
      const record = records[index];
      if (record) logger.info(record.fields, record.message);
    }
    milliseconds += performance.now() - begun;
    await pause();
  }
  return milliseconds;
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Words rather than one repeated letter: what compresses to nothing would flatter compression. */
const paragraph =
  ' for tenant aurora after one retry, cache miss, upstream eu-west answered 200, queue depth low, session renewed, trace sampled, budget left, shard seven, replica two, no warnings, slow path off';
