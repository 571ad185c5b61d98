/** One fault, gone through by apps that log and read all the while; and what became of their records. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, type TestContext } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { digestOf } from '../../stack/globus.ts';
import type { Stack } from '../../stack/stack.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { appNames, type EndedApp, type Front, fronts, LoggingApp } from './driving/logging-app.ts';
import { type EndedReading, ReadingApp } from './driving/reading-app.ts';
import { arrivalTimes, type Delivered, readBack } from './oracle/read-back.ts';
import { expectUndisturbed } from './oracle/undisturbed.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Share of the time that a fault is expected to hold delivery up for, which is seen at least: clocks and pauses are not exact. */
const leastHeldUp = 0.9;

/** By how much a record's longest wait, and the reader's longest silence, may outlast the fault, in milliseconds. */
const recoveryLimitMs = { record: 30_000, reader: 60_000 };

/** How long the reader may take to read to the end once everything is delivered, in milliseconds. */
const readingLimitMs = 120_000;

/** How long delivering may go on once the fault is over, in milliseconds. */
const settlingLimitMs = 60_000;

export interface Outage {
  /** As the table of results calls it. */
  readonly fault: string;
  readonly stack: Stack;
  /** Applies the fault and takes it back. */
  readonly apply: (context: OutageContext) => Promise<void>;
  /** Records a second of each app. Default 1,000. */
  readonly perSecond?: number;
  /** Of the apps that log; `requestTimeoutMs` is the reader's, too. */
  readonly options?: TransportOptions;
  /** Milliseconds of logging before and after the fault. Default 10 s, 3 s in the short form. */
  readonly aroundMs?: number;
  /** Nothing of either app can be stored for about so long, in milliseconds. Default: the fault need not stop it. */
  readonly stopsForMs?: number;
  /** At least one record of each app waits for about so long, in milliseconds. Default: none need wait. */
  readonly waitsForMs?: number;
}

export interface OutageContext {
  readonly topic: string;
  readonly apps: Readonly<Record<Front, LoggingApp>>;
  /** Each app has its own: by digest, as the record of the Globus stand-in has it. */
  readonly refreshTokens: Readonly<Record<Front, string>>;
}

export interface OutageResult {
  readonly outage: Outage;
  /** How long `apply` took, in milliseconds. */
  readonly faultMs: number;
  readonly refreshTokens: OutageContext['refreshTokens'];
  readonly apps: Readonly<Record<Front, EndedApp>>;
  /** Codes of the lines that they printed, in order. */
  readonly said: Readonly<Record<Front, readonly string[]>>;
  readonly delivered: Readonly<Record<Front, Delivered>>;
  readonly file: EndedApp;
  readonly reading: EndedReading;
  /** What the broker holds as committed by the reader, by partition. */
  readonly committed: ReadonlyMap<number, bigint>;
  readonly readerOutput: string;
}

/** Runs an app of each front, one with pino/file, and a reader. */
export async function goThrough(outage: Outage): Promise<OutageResult> {
  const { stack, perSecond = 1_000 } = outage;
  const aroundMs = outage.aroundMs ?? inForm({ full: 10_000, short: 3_000 });
  const topic = uniqueTopic('outage');
  await stack.createTopic(topic, { partitions: 3, config: arrivalTimes });
  const directory = await mkdtemp(join(tmpdir(), 'outage-'));
  const signIn = async (): Promise<string> => (await stack.globus.signIn()).refreshToken;
  const env = (DIASPORA_REFRESH: string) => ({ ...stack.env, DIASPORA_REFRESH });
  // Longer than any broker takes to come back; what is measured is in the topic.
  const options = { topic, closeTimeoutMs: 120_000, ...outage.options };
  const { requestTimeoutMs } = options;
  const started: { kill(): void }[] = [];
  const keep = <T extends { kill(): void }>(app: T): T => {
    started.push(app);
    return app;
  };
  try {
    const signedIn = { pino: await signIn(), winston: await signIn() };
    const pino = keep(await LoggingApp.start('pino', options, env(signedIn.pino)));
    const winston = keep(await LoggingApp.start('winston', options, env(signedIn.winston)));
    const file = keep(await LoggingApp.startWithFile(join(directory, 'file.log')));
    const readerOptions = { topic, groupId: topic, ...(requestTimeoutMs && { requestTimeoutMs }) };
    const reader = keep(await ReadingApp.start(readerOptions, env(await signIn())));
    const apps = { pino, winston };
    const refreshTokens = {
      pino: digestOf(signedIn.pino),
      winston: digestOf(signedIn.winston),
    };

    const all = [pino, winston, file];
    await Promise.all(all.map((app) => app.logAt(perSecond)));
    await sleep(aroundMs);
    // Its first second loads and compiles what it uses.
    await Promise.all(all.map((app) => app.measure()));
    const begun = performance.now();
    await outage.apply({ topic, apps, refreshTokens });
    const faultMs = performance.now() - begun;
    await sleep(aroundMs);
    await Promise.all(all.map((app) => app.pause()));
    await inTime(settlingLimitMs, 'Delivering what waits', async () => {
      await Promise.all([pino.settled(), winston.settled()]);
    });
    const [pinoEnd, winstonEnd, fileEnd] = await Promise.all([
      pino.end(),
      winston.end(),
      file.end(),
    ]);
    const ended = { pino: pinoEnd, winston: winstonEnd };
    const written = { pino: pinoEnd.written, winston: winstonEnd.written };
    const delivered = await readBack(stack, topic, written);
    await inTime(readingLimitMs, `The reader: ${reader.output}`, async () => {
      await reader.until(await stack.endOffsets(topic));
    });
    const reading = await reader.close();
    return {
      outage,
      faultMs,
      refreshTokens,
      apps: ended,
      said: { pino: codesOf(pino), winston: codesOf(winston) },
      delivered,
      file: fileEnd,
      reading,
      committed: await stack.committed(topic, topic),
      readerOutput: reader.output,
    };
  } finally {
    for (const app of started) app.kill();
    await rm(directory, { recursive: true });
  }
}

/** The fault was met; nothing lost or repeated, the app undisturbed, and the reader's records all there. */
export function expectNothingLost(context: TestContext, result: OutageResult): void {
  const { apps, delivered, file, reading } = result;
  const { fault, stopsForMs = 0, waitsForMs = 0 } = result.outage;
  for (const front of fronts) {
    const { records, lost, repeated, reordered, ...times } = delivered[front];
    const { stallMs, ownStallMs, maxRssBytes } = apps[front];
    reportFigures(context, 'outages', {
      Fault: fault,
      App: appNames[front],
      Records: records,
      Lost: lost,
      Repeated: repeated,
      'Out of order': reordered,
      'Longest gap of delivery': seconds(times.longestGapMs),
      'Longest wait of a record': seconds(times.longestWaitMs),
      'App held up (pino/file)': `${milliseconds(stallMs)} (${milliseconds(file.stallMs)})`,
      'By itself (pino/file)': `${milliseconds(ownStallMs)} (${milliseconds(file.ownStallMs)})`,
      'Peak memory': `${Math.round(maxRssBytes / 2 ** 20)} MiB`,
    });
  }
  reportFigures(context, 'outages-read', {
    Fault: fault,
    'Records read': reading.records,
    Skipped: reading.skipped,
    'Read again': reading.readAgain,
    'Read again though committed': reading.committedReadAgain,
    'Longest silence': seconds(reading.longestSilenceMs),
  });

  for (const front of fronts) {
    const { written, stats, output } = apps[front];
    const { longestGapMs, longestWaitMs } = delivered[front];
    expect(longestGapMs, front).toBeGreaterThanOrEqual(stopsForMs * leastHeldUp);
    expect(longestWaitMs, front).toBeGreaterThanOrEqual(waitsForMs * leastHeldUp);
    expect(longestWaitMs, front).toBeLessThan(result.faultMs + recoveryLimitMs.record);
    expect(delivered[front], front).toMatchObject({
      records: written,
      missing: [],
      lost: 0,
      repeated: 0,
      reordered: 0,
    });
    expect(stats, front).toMatchObject({ written, acknowledged: written, dropped: 0 });
    expect(output, front).not.toContain('INTERNAL_ERROR');
    expectUndisturbed(apps[front], file, front);
  }
  expectAllRead(result);
}

function expectAllRead({ faultMs, delivered, reading, ...result }: OutageResult): void {
  const { pino, winston } = delivered;
  expect(result.readerOutput).not.toContain('INTERNAL_ERROR');
  expect(reading).toMatchObject({ code: 0, signal: null, skipped: 0, committedReadAgain: 0 });
  expect(reading.records - reading.readAgain).toBe(pino.records + winston.records);
  expect(reading.longestSilenceMs).toBeLessThan(faultMs + recoveryLimitMs.reader);
  expect(reading.acknowledged.length, 'partitions committed').toBeGreaterThan(0);
  for (const [partition, offset] of reading.acknowledged) {
    const committed = result.committed.get(partition) ?? 0n;
    expect(committed, `partition ${partition}`).toBeGreaterThanOrEqual(BigInt(offset));
  }
}

function codesOf(app: LoggingApp): readonly string[] {
  return app.diagnostics.map(({ code }) => code);
}

async function inTime(limitMs: number, what: string, work: () => Promise<void>): Promise<void> {
  const given = new AbortController();
  const late = sleep(limitMs, undefined, { signal: given.signal }).then(() => {
    throw new Error(`Not done within ${limitMs / 1000} s. ${what}`);
  });
  late.catch(() => {});
  try {
    await Promise.race([work(), late]);
  } finally {
    given.abort();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function milliseconds(ms: number): string {
  return `${Math.round(ms)} ms`;
}
