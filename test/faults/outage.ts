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
import { reportFigures } from './figures.ts';
import { inForm } from './form.ts';
import { type EndedApp, type Front, fronts, LoggingApp } from './logging-app.ts';
import { arrivalTimes, type Delivered, readBack } from './read-back.ts';
import { type Reading, ReadingApp } from './reading-app.ts';

/** How much longer than the app with pino/file an app may be held up, in milliseconds. */
const stallAllowanceMs = 50;

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
}

export interface OutageContext {
  readonly topic: string;
  readonly apps: Readonly<Record<Front, LoggingApp>>;
  /** Each app has its own: by digest, as the record of the Globus stand-in has it. */
  readonly refreshTokens: Readonly<Record<Front, string>>;
}

export interface OutageResult {
  readonly fault: string;
  readonly apps: Readonly<Record<Front, EndedApp>>;
  readonly delivered: Readonly<Record<Front, Delivered>>;
  readonly file: EndedApp;
  readonly reading: Reading;
  readonly readerOutput: string;
}

/** Runs an app of each front, one with pino/file, and a reader. */
export async function goThrough(outage: Outage): Promise<OutageResult> {
  const { fault, stack, perSecond = 1_000 } = outage;
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
    await outage.apply({ topic, apps, refreshTokens });
    await sleep(aroundMs);
    await Promise.all(all.map((app) => app.pause()));
    await inTime(settlingLimitMs, 'Delivering what waits', async () => {
      await Promise.all([settled(pino), settled(winston)]);
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
      fault,
      apps: ended,
      delivered,
      file: fileEnd,
      reading,
      readerOutput: reader.output,
    };
  } finally {
    for (const app of started) app.kill();
    await rm(directory, { recursive: true });
  }
}

/** Nothing lost or repeated, the app undisturbed, and the reader's records all there. */
export function expectNothingLost(context: TestContext, result: OutageResult): void {
  const { fault, apps, delivered, file, reading } = result;
  for (const front of fronts) {
    const { records, lost, repeated, reordered, ...times } = delivered[front];
    reportFigures(context, 'outages', {
      Fault: fault,
      App: front === 'pino' ? 'Pino, worker' : 'Winston',
      Records: records,
      Lost: lost,
      Repeated: repeated,
      'Out of order': reordered,
      'Longest gap of delivery': seconds(times.longestGapMs),
      'Longest wait of a record': seconds(times.longestWaitMs),
      'App held up (pino/file)': `${milliseconds(apps[front].stallMs)} (${milliseconds(file.stallMs)})`,
      'Peak memory': `${Math.round(apps[front].maxRssBytes / 2 ** 20)} MiB`,
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
    const { written, stats, ...app } = apps[front];
    expect(delivered[front], front).toMatchObject({
      records: written,
      lost: 0,
      repeated: 0,
      reordered: 0,
    });
    expect(stats, front).toMatchObject({ written, acknowledged: written, dropped: 0 });
    expect(app, front).toMatchObject({ code: 0, errorEvents: 0 });
    expect(app.ownStallMs, front).toBeLessThan(file.ownStallMs + stallAllowanceMs);
  }
  const { pino, winston } = delivered;
  expect(reading).toMatchObject({ skipped: 0, committedReadAgain: 0 });
  expect(reading.records - reading.readAgain).toBe(pino.records + winston.records);
}

/** A flush ends at a limit of its own. */
async function settled(app: LoggingApp): Promise<void> {
  for (;;) {
    const { stats } = await app.flush();
    if (stats && stats.buffered + stats.inFlight === 0) return;
  }
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
