/** Who runs in each round, in which order, and which figures are compared with which target. */
import { hasCodec } from '../src/produce/compression.ts';
import type { Program } from './processes.ts';
import type { LogCallTask, Measured } from './task.ts';

export interface Contestant {
  readonly name: string;
  readonly program: Program;
  readonly setting: Pick<LogCallTask, 'compression' | 'to' | 'paced'>;
  /** So many records instead of `--records`. */
  readonly records?: number;
}

const plain = { compression: 'none', to: 'kafka', paced: false } as const;

/** Two seconds at 20,000 a second. */
const pacedRecords = 40_000;

export const contestants: readonly Contestant[] = [
  { name: 'Pino worker', program: 'pino', setting: plain },
  { name: 'kafkajs send', program: 'kafkajs', setting: plain },
  { name: 'encoder and send', program: 'shipper', setting: plain },
  { name: 'kafkajs send, gzip', program: 'kafkajs', setting: { ...plain, compression: 'gzip' } },
  {
    name: 'encoder and send, gzip',
    program: 'shipper',
    setting: { ...plain, compression: 'gzip' },
  },
  ...(hasCodec('zstd')
    ? [
        {
          name: 'encoder and send, zstd',
          program: 'shipper',
          setting: { ...plain, compression: 'zstd' },
        } as const,
      ]
    : []),
  { name: 'log call, flood, Kafka', program: 'log-call', setting: plain },
  { name: 'log call, flood, file', program: 'log-call', setting: { ...plain, to: 'file' } },
  {
    name: 'log call, 20,000/s, Kafka',
    program: 'log-call',
    setting: { ...plain, paced: true },
    records: pacedRecords,
  },
  {
    name: 'log call, 20,000/s, file',
    program: 'log-call',
    setting: { ...plain, paced: true, to: 'file' },
    records: pacedRecords,
  },
];

export interface Comparison {
  readonly what: string;
  readonly over: string;
  readonly under: string;
  readonly metric: (measured: Measured) => number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const floodCall = { over: 'log call, flood, Kafka', under: 'log call, flood, file' } as const;
const pacedCall = { over: 'log call, 20,000/s, Kafka', under: 'log call, 20,000/s, file' } as const;

export const comparisons: readonly Comparison[] = [
  {
    what: 'rate, Pino worker : kafkajs send',
    over: 'Pino worker',
    under: 'kafkajs send',
    metric: rate,
    atLeast: 2,
  },
  {
    what: 'the same, connecting counted',
    over: 'Pino worker',
    under: 'kafkajs send',
    metric: ({ delivered, milliseconds, connectMilliseconds }) =>
      delivered / (milliseconds + connectMilliseconds),
  },
  {
    what: 'rate, encoder and send : kafkajs send',
    over: 'encoder and send',
    under: 'kafkajs send',
    metric: rate,
    atLeast: 4,
  },
  {
    what: 'CPU, encoder and send : kafkajs send',
    over: 'encoder and send',
    under: 'kafkajs send',
    metric: ({ cpuMilliseconds }) => cpuMilliseconds,
  },
  {
    what: 'rate with gzip, encoder and send : kafkajs send',
    over: 'encoder and send, gzip',
    under: 'kafkajs send, gzip',
    metric: rate,
  },
  {
    what: 'peak memory, Pino worker : kafkajs send',
    over: 'Pino worker',
    under: 'kafkajs send',
    metric: ({ peakMiB }) => peakMiB,
  },
  { what: 'app thread, flood, Kafka : file', ...floodCall, metric: appThread, atMost: 1.15 },
  { what: 'app thread, 20,000/s, Kafka : file', ...pacedCall, metric: appThread, atMost: 1.15 },
  { what: 'wall time of the calls, flood, Kafka : file', ...floodCall, metric: calls },
  { what: 'wall time of the calls, 20,000/s, Kafka : file', ...pacedCall, metric: calls },
];

/** Thousand records a second. */
export function rate({ delivered, milliseconds }: Measured): number {
  return delivered / milliseconds;
}

/** Nanoseconds a record on the main thread: its CPU time; wall time of the calls where the platform has none. */
export function appThread({
  delivered,
  mainThreadMilliseconds,
  callMilliseconds,
}: Measured): number {
  return ((mainThreadMilliseconds ?? callMilliseconds ?? Number.NaN) * 1e6) / delivered;
}

function calls({ callMilliseconds }: Measured): number {
  return callMilliseconds ?? Number.NaN;
}
