/** What the benchmark tells a contestant's process, and what it hears back. */

/** Everything a contestant needs. Sent over IPC, since it holds a refresh token. */
export interface Task {
  readonly bootstrapBrokers: string;
  readonly caFile: string;
  readonly issuer: string;
  readonly refreshToken: string;
  readonly topic: string;
  readonly records: number;
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Directory of the compiled package, as a URL with a slash at its end. */
  readonly packageUrl: string;
}

/** What the contestants of `log-call.ts` need besides. */
export interface LogCallTask extends Task {
  readonly to: 'kafka' | 'file';
  /** 20,000 records a second, or as fast as the app can. */
  readonly paced: boolean;
  /** Where `pino/file` writes. */
  readonly file: string;
}

/** What a contestant has measured. */
export interface Measured {
  /** Of the records that were timed: acknowledged by the broker, or found in the file. */
  readonly delivered: number;
  /** From the first record to the last one's acknowledgement. */
  readonly milliseconds: number;
  /** Getting ready before that: connecting, signing in, what the first record needs. */
  readonly connectMilliseconds: number;
  /** CPU time of the whole process while `milliseconds` went by. */
  readonly cpuMilliseconds: number;
  /** Of the main thread alone, where that can be told. */
  readonly mainThreadMilliseconds: number | null;
  /** Peak of the process's memory, in MiB. */
  readonly peakMiB: number;
  /** Wall time within the log calls, where those are what is measured. */
  readonly callMilliseconds?: number;
}

/** The package's options that reach the broker of the task. */
export function packageOptions(task: Task) {
  const { bootstrapBrokers, caFile, issuer, refreshToken, topic, compression, records } = task;
  return {
    bootstrapBrokers,
    topic,
    compression,
    tls: { ca: caFile },
    auth: { type: 'globus', issuer, refreshToken },
    // More than the default only where the flood is larger than it: records dropped are not a rate.
    bufferMaxBytes: Math.max(64 * 2 ** 20, records * 512),
  } as const;
}
