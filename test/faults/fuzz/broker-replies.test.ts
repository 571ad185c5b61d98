import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stats } from '../../../src/delivery/counters.ts';
import { auditTopic } from '../../../stack/audit.ts';
import type { TopicRecord } from '../../../stack/read-topic.ts';
import { type Stack, startStack } from '../../../stack/stack.ts';
import { buildPackage } from '../../integration/built-package.ts';
import { uniqueTopic } from '../../shared-stack.ts';
import { type EndedApp, type Front, fronts, LoggingApp } from '../driving/logging-app.ts';
import { reportFigures } from '../report/figures.ts';
import { inForm } from '../report/form.ts';
import { ReplyFuzz } from './reply-fuzz.ts';
import { ReplyProxy } from './reply-proxy.ts';
import { Random, seedsOr, shownSeeds } from './seeds.ts';

const seeds = seedsOr(inForm({ full: Array.from({ length: 20 }, (_, i) => i + 1), short: [1, 2] }));

/** Replies of each app that may be spoilt, and how often one may keep it waiting for bytes that never come. */
const { replies, waits } = inForm({
  full: { replies: 200, waits: 1 },
  short: { replies: 80, waits: 1 },
});

const recordsAtATime = 60;

/** A flush ends when everything is settled, or after 9 s in Pino's worker: so many must be enough once replies are whole. */
const lastFlushes = 3;

/** Longest that an app's own event loop may be held up, in milliseconds. */
const longestStallMs = 500;

let stack: Stack;
let proxy: ReplyProxy;
let directory: string;

beforeAll(async () => {
  await buildPackage();
  directory = await mkdtemp(join(tmpdir(), 'fuzz-'));
  stack = await startStack({
    async advertise(listener, _id, address) {
      if (listener !== 'INTERNAL') return address;
      proxy = await ReplyProxy.start(address);
      return proxy.address;
    },
  });
});
afterAll(async () => {
  await stack?.stop();
  proxy?.close();
  await rm(directory, { recursive: true });
});

interface FuzzedApp {
  readonly name: string;
  readonly fuzz: ReplyFuzz;
  readonly ended: EndedApp;
  readonly stats: Stats;
  readonly repeated: number;
  readonly deadLetters: number;
  /** Numbers of records that are neither in the topic nor among the dead letters. */
  readonly lost: readonly number[];
  /** Told that another process goes on in its place: it may ship nothing more. */
  readonly fenced: boolean;
}

it('Whatever replies of a broker are changed, cut and repeated, no record is lost in silence', async (context) => {
  const apps: FuzzedApp[] = [];
  for (const pair of pairs(seeds)) {
    const plans = pair.flatMap((seed) =>
      fronts.map((front) => ({ front, seed, topic: uniqueTopic(`${front}-${seed}`) })),
    );
    for (const { topic } of plans) await stack.createTopic(topic, { partitions: 3 });
    apps.push(...(await Promise.all(plans.map(runApp))));
  }
  reportFigures(context, 'fuzz', {
    What: 'Broker replies',
    Seeds: shownSeeds(seeds),
    Cases: apps.reduce((sum, { fuzz }) => sum + fuzz.spoilt, 0),
    Crashes: apps.filter(({ ended }) => ended.code !== 0 || ended.errorEvents > 0).length,
    Hangs: apps.filter(isStuck).length,
    'Silent losses': apps.reduce((sum, { lost }) => sum + lost.length, 0),
    Spared: apps.reduce((sum, { fuzz }) => sum + fuzz.withheld, 0),
  });
  for (const app of apps) expectInOrder(app);
});

function expectInOrder(app: FuzzedApp): void {
  const { name, fuzz, ended, stats, repeated, deadLetters, lost } = app;
  const why = [name, ended.output, ...fuzz.lies].join('\n');
  const { acknowledged, dropped, deadLettered, unresolved } = stats;
  expect(fuzz.spoilt, why).toBeGreaterThan(0);
  expect(ended, why).toMatchObject({ code: 0, errorEvents: 0, written: stats.written });
  expect(ended.output, why).not.toContain('INTERNAL_ERROR');
  expect(ended.ownStallMs, why).toBeLessThan(longestStallMs);
  expect(stats, why).toMatchObject({ dropped: 0, filtered: 0, buffered: 0, inFlight: 0 });
  expect(acknowledged + dropped + deadLettered + unresolved, why).toBe(stats.written);
  // What is not among these was acknowledged, and must be in the topic.
  expect(deadLetters, why).toBe(deadLettered + unresolved);
  expect(lost, why).toEqual([]);
  expect(isStuck(app), why).toBe(false);
  if (fuzz.falseStamps === 0) expect(repeated, why).toBeLessThanOrEqual(stats.possiblyRepeated);
}

/** All replies were whole at the end, and still not everything came through. */
function isStuck({ stats, fenced }: FuzzedApp): boolean {
  return stats.unresolved > 0 && !fenced;
}

/** What one app is given: its topic is its own, since a false producer id could be another app's. */
interface Plan {
  readonly front: Front;
  readonly seed: number;
  readonly topic: string;
}

async function runApp({ front, seed, topic }: Plan): Promise<FuzzedApp> {
  const name = `${front}-${seed}`;
  const random = new Random(seed * fronts.length + fronts.indexOf(front));
  const fuzz = new ReplyFuzz({ random, replies, waits });
  proxy.fuzz.set(name, fuzz);
  const deadLetter = join(directory, name);
  const app = await LoggingApp.start(front, {
    topic,
    deadLetter,
    bootstrapBrokers: stack.bootstrap('INTERNAL'),
    auth: { type: 'none' },
    tls: false,
    clientId: name,
    requestTimeoutMs: 6_000,
    retry: { minMs: 1, maxMs: 20 },
    lingerMs: 1,
    batchMaxRecords: 10,
  });
  try {
    const isFenced = (): boolean => app.diagnostics.some(({ code }) => code === 'PRODUCER_FENCED');
    while (!fuzz.over && !isFenced()) {
      await app.burst({ count: recordsAtATime });
      await app.flush();
    }
    await app.burst({ count: recordsAtATime });
    for (let flush = 0; flush < lastFlushes && !isFenced(); flush += 1) {
      const { stats } = await app.flush();
      if (stats && stats.buffered + stats.inFlight === 0) break;
    }
    const ended = await app.end();
    const { stats } = ended;
    if (!stats) throw new Error(`${name} tells no counters: ${ended.output}`);
    const { repeated, stored } = await readNumbers(topic);
    const kept = await deadLetterNumbers(deadLetter);
    const safe = new Set([...stored, ...kept]);
    const lost = Array.from({ length: ended.written }, (_, n) => n).filter((n) => !safe.has(n));
    const deadLetters = kept.length;
    return { name, fuzz, ended, stats, repeated, deadLetters, lost, fenced: isFenced() };
  } finally {
    app.kill();
  }
}

/** The apps' own numbers of the records in a topic, and how many are there once more. */
async function readNumbers(topic: string): Promise<{ repeated: number; stored: Set<number> }> {
  const stored = new Set<number>();
  const observed = async function* (): AsyncGenerator<TopicRecord> {
    for await (const record of stack.readTopic(topic)) {
      stored.add(JSON.parse(String(record.value)).n);
      yield record;
    }
  };
  const { repeated } = await auditTopic(observed());
  return { repeated: repeated.length, stored };
}

async function deadLetterNumbers(place: string): Promise<number[]> {
  const files = await readdir(place);
  const texts = await Promise.all(files.map((file) => readFile(join(place, file), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
  return lines.map((line) => JSON.parse(JSON.parse(line).record.value).n);
}

/** Two seeds at a time: four apps, as many as two processors can run beside a broker. */
function pairs(all: readonly number[]): number[][] {
  return all.flatMap((_, i) => (i % 2 === 0 ? [all.slice(i, i + 2)] : []));
}
