import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stats } from '../../src/delivery/counters.ts';
import type { TransportOptions } from '../../src/options.ts';
import type { Broker } from '../../stack/broker.ts';
import type { TopicRecord } from '../../stack/read-topic.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import {
  type EndedApp,
  type Front,
  fronts,
  type Level,
  LoggingApp,
} from './driving/logging-app.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

const count = inForm({ full: 1_000_000, short: 150_000 });

const bufferMaxBytes = 16 * 2 ** 20;

/** Of the whole process, in bytes. The short form's flood is too small to exceed it, whatever the app keeps of it: the full one tells. */
const memoryBound = 350e6;

/** Once the buffer is full: in each second of the flood the broker is frozen for so long, in milliseconds, and serves for the rest. */
const frozenMs = 900;

/** Of 100 records: 81 debug, 16 info, 2 warn, 1 error. The buffer holds the warnings and errors of a whole flood. */
const mix: readonly Level[] = Array.from({ length: 100 }, (_, i) => {
  if (i === 0) return 'error';
  if (i % 50 === 25) return 'warn';
  return i % 6 === 1 ? 'info' : 'debug';
});

/** From the lowest on, with Pino's numbers. */
const levels: ReadonlyMap<Level, number> = new Map([
  ['debug', 20],
  ['info', 30],
  ['warn', 40],
  ['error', 50],
]);

/**
 * Giving way by level takes the worker about twice as long a record, and Pino's own queue to its worker has no bound: there
 * the app waits for 'drain'.
 */
const appNames = {
  pino: {
    'drop-oldest': 'Pino, worker',
    'drop-lowest-level': "Pino, worker; the app waits for 'drain'",
  },
  winston: { 'drop-oldest': 'Winston', 'drop-lowest-level': 'Winston' },
};

interface Flooded {
  readonly app: EndedApp;
  readonly stats: Stats;
  readonly found: Found;
}

/** What the topic holds. */
interface Found {
  /** Different records. */
  readonly byLevel: ReadonlyMap<Level, number>;
  readonly records: number;
  readonly repeated: number;
}

let stack: Stack;
let broker: Broker;

beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
  const [only] = stack.brokers;
  if (!only) throw new Error('The stack has no broker.');
  broker = only;
});
afterAll(() => stack.stop());

const ways = ['drop-oldest', 'drop-lowest-level'] as const;
const floods = fronts.flatMap((front) => ways.map((onOverflow) => ({ front, onOverflow })));

describe(`Each of ${count} records is delivered or counted where the broker serves a tenth of the time`, () => {
  it.for(floods)('$front, $onOverflow', async ({ front, onOverflow }, context) => {
    const { app, stats, found } = await flood(front, { onOverflow, bufferMaxBytes });
    const each = [...levels].map(([level, number]) => {
      const logged = mix.filter((one) => one === level).length * (count / mix.length);
      const dropped = stats.droppedByLevel[number] ?? 0;
      return { level, logged, dropped, found: found.byLevel.get(level) ?? 0 };
    });
    const uncounted = each.map((one) => Math.abs(one.logged - one.dropped - one.found));
    reportFigures(context, 'floods', {
      App: appNames[front][onOverflow],
      'When full': onOverflow,
      Records: count,
      Delivered: stats.acknowledged,
      Dropped: stats.dropped,
      'Dropped by level': each
        .map(({ level, dropped }) => `${level} ${grouped(dropped)}`)
        .join(', '),
      'Found by the reader': found.records,
      'Lost without a count': uncounted.reduce((sum, one) => sum + one, 0),
      'Peak memory': `${Math.round(app.maxRssBytes / 2 ** 20)} MiB`,
    });

    for (const one of each) expect(one.found + one.dropped, one.level).toBe(one.logged);
    expect(found).toMatchObject({ records: stats.acknowledged, repeated: 0 });
    expect(stats).toMatchObject({ written: count, unresolved: 0, deadLettered: 0 });
    expect(stats.acknowledged + stats.dropped).toBe(count);
    expect(app).toMatchObject({ code: 0, errorEvents: 0 });
    expect(app.output).toContain('diaspora-logger BUFFER_FULL:');
    expect(app.maxRssBytes).toBeLessThan(memoryBound);
    // Else it was no flood.
    expect(stats.dropped).toBeGreaterThan(0);
    if (onOverflow === 'drop-lowest-level') {
      const [debug, info, warn, error] = each.map(({ logged, dropped }) => dropped / logged);
      expect(debug).toBeGreaterThan(Number(info));
      expect([warn, error]).toEqual([0, 0]);
    }
  });
});

async function flood(front: Front, options: TransportOptions): Promise<Flooded> {
  const topic = uniqueTopic('flood');
  await stack.createTopic(topic, { partitions: 3 });
  const { refreshToken } = await stack.globus.signIn();
  const env = { ...stack.env, DIASPORA_REFRESH: refreshToken };
  // Longer than delivering what the buffer holds takes.
  const drains = options.onOverflow === 'drop-lowest-level';
  const app = await LoggingApp.start(front, { topic, closeTimeoutMs: 60_000, ...options }, env);
  try {
    await whileThrottled(app, () => app.burst({ count, size: 100, levels: mix, drains }));
    const stats = await app.settled();
    const ended = await app.end();
    return { app: ended, stats: ended.stats ?? stats, found: await find(topic) };
  } finally {
    app.kill();
  }
}

/** Freezes the broker until the app's buffer is full, and then again and again until the work is done. */
async function whileThrottled(app: LoggingApp, work: () => Promise<unknown>): Promise<void> {
  const over = new AbortController();
  broker.freeze();
  try {
    const worked = work().finally(() => over.abort());
    await Promise.race([app.said('BUFFER_FULL'), worked]);
    while (!over.signal.aborted) {
      broker.thaw();
      await sleep(1_000 - frozenMs);
      broker.freeze();
      await sleep(frozenMs);
    }
    await worked;
  } finally {
    broker.thaw();
  }
}

async function find(topic: string): Promise<Found> {
  const seen = new Uint8Array(count);
  const byLevel = new Map<Level, number>();
  let records = 0;
  let repeated = 0;
  for await (const record of stack.readTopic(topic)) {
    const { n, level } = contentOf(record);
    records += 1;
    if (seen[n] === 1) {
      repeated += 1;
      continue;
    }
    seen[n] = 1;
    byLevel.set(level, (byLevel.get(level) ?? 0) + 1);
  }
  return { byLevel, records, repeated };
}

/** @throws Error where no app has logged such a record. */
function contentOf({ value }: TopicRecord): { readonly n: number; readonly level: Level } {
  const { n, level: told } = JSON.parse(String(value));
  const level = [...levels].find(([name, number]) => told === name || told === number)?.[0];
  // A record's level tells its place in the mix, and the other way round.
  if (!level || mix[n % mix.length] !== level) throw new Error(`Nobody logged ${value}`);
  return { n, level };
}

function grouped(number: number): string {
  return number.toLocaleString('en-GB');
}
