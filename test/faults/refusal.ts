/** One fault that makes a broker refuse records, met by apps that log all the while; what they said, and what became of their records. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { DiagnosticCode } from '../../src/diagnostics.ts';
import type { TransportOptions } from '../../src/options.ts';
import type { Stack } from '../../stack/stack.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { appNames, type EndedApp, type Front, fronts, LoggingApp } from './driving/logging-app.ts';
import { type Delivered, readBack } from './oracle/read-back.ts';
import { expectUndisturbed } from './oracle/undisturbed.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Records a second of each app. Several faults are met at a time. */
export const perSecond = inForm({ full: 500, short: 200 });

/** How long a refusal lasts, in milliseconds: shorter than the 30 s after which a line may be said again. */
export const refusedMs = inForm({ full: 20_000, short: 3_000 });

/** What one app of each front answers. */
export type OfEach<T> = Readonly<Record<Front, T>>;

/** `directory` is the test's own, for files such as dead letters. */
interface Place {
  readonly topic: string;
  readonly directory: string;
}

export interface Apps {
  /** Does something to both apps at once. */
  each<T>(act: (app: LoggingApp) => Promise<T>): Promise<OfEach<T>>;
  /** Both apps, and the one with pino/file, log so many records a second from now on. */
  logAt(perSecond: number): Promise<void>;
  /** The apps have started: from now on it is measured how long each is held up, the one with pino/file too. */
  measure(): Promise<void>;
}

export interface Refusal {
  /** As the table of results calls it. */
  readonly fault: string;
  readonly stack: Stack;
  /** Before the apps start. */
  readonly prepare: (place: Place) => Promise<void>;
  /** Brings the fault about and ends it, while the apps log. */
  readonly meet: (apps: Apps, place: Place) => Promise<void>;
  readonly options?: (place: Place) => TransportOptions;
  /** Added to the environment of all apps. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RefusalResult extends Place {
  readonly fault: string;
  readonly apps: OfEach<EndedApp>;
  /** Their printed lines, by code, in order. */
  readonly said: OfEach<readonly { readonly code: string; readonly line: string }[]>;
  readonly delivered: OfEach<Delivered>;
  readonly file: EndedApp;
}

/**
 * Runs an app of each front and one with pino/file; ends them after the fault; hands the result to `judge`. What they
 * left behind is removed after the test.
 */
export async function meetRefusal(
  { onTestFinished }: TestContext,
  { fault, stack, prepare, meet, options, env }: Refusal,
  judge: (result: RefusalResult) => void | Promise<void>,
): Promise<void> {
  const topic = uniqueTopic('refusal');
  const directory = await mkdtemp(join(tmpdir(), 'refusal-'));
  const place = { topic, directory };
  const { refreshToken } = await stack.globus.signIn();
  const given = { ...stack.env, DIASPORA_REFRESH: refreshToken, ...env };
  // Longer than any fault here lasts; Pino's worker has its own bound.
  const transport = { topic, closeTimeoutMs: 60_000, ...options?.(place) };
  const started: LoggingApp[] = [];
  const keep = async (starting: Promise<LoggingApp>): Promise<LoggingApp> => {
    const app = await starting;
    started.push(app);
    return app;
  };
  // Also where the test's time is up.
  onTestFinished(async () => {
    for (const app of started) app.kill();
    await rm(directory, { recursive: true, maxRetries: 3 });
  });
  await prepare(place);
  const [pino, winston, file] = await Promise.all([
    keep(LoggingApp.start('pino', transport, given)),
    keep(LoggingApp.start('winston', transport, given)),
    keep(LoggingApp.startWithFile(join(directory, 'file.log'))),
  ]);
  const all = async (act: (app: LoggingApp) => Promise<unknown>): Promise<void> => {
    await Promise.all([pino, winston, file].map(act));
  };
  const met: Apps = {
    each: (act) => ofEach({ pino, winston }, act),
    logAt: (rate) => all((app) => app.logAt(rate)),
    measure: () => all((app) => app.measure()),
  };
  await met.logAt(perSecond);
  await meet(met, place);
  await all((app) => app.pause());
  const [apps, fileEnd] = await Promise.all([
    ofEach({ pino, winston }, (app) => app.end()),
    file.end(),
  ]);
  const written = { pino: apps.pino.written, winston: apps.winston.written };
  const delivered = await readBack(stack, topic, written);
  const said = { pino: pino.diagnostics, winston: winston.diagnostics };
  await judge({ ...place, fault, apps, said, delivered, file: fileEnd });
}

async function ofEach<From, To>(
  { pino, winston }: OfEach<From>,
  act: (one: From) => Promise<To>,
): Promise<OfEach<To>> {
  const [ofPino, ofWinston] = await Promise.all([act(pino), act(winston)]);
  return { pino: ofPino, winston: ofWinston };
}

/** A line that names a fault. */
export interface Cause {
  readonly code: DiagnosticCode;
  /** Words that tell what happened, and what to do. */
  readonly says: readonly [cause: RegExp, remedy: RegExp, ...more: RegExp[]];
}

export interface Expected {
  /** In the order in which they are said: one line each, which may come again after a while. */
  readonly causes: readonly Cause[];
  /** What is said after them. */
  readonly after?: readonly DiagnosticCode[];
  /** The table's word on records that are not in the topic at the end. Default: the counter of those dropped. */
  readonly countedAsLost?: (front: Front) => string | number;
}

/** Puts the result into the table. Then: each cause was said in one line, and the app was not disturbed. */
export function expectNamed(
  context: TestContext,
  result: RefusalResult,
  { causes, after = [], countedAsLost }: Expected,
): void {
  const { fault, apps, said, delivered, file } = result;
  for (const front of fronts) {
    const named = said[front].filter(({ code }) => causes.some((cause) => cause.code === code));
    const first = causes.map((cause) => firstLine(named, cause));
    reportFigures(context, 'refusals', {
      Fault: fault,
      App: appNames[front],
      Diagnostic: causes.map(({ code }) => `\`${code}\``).join(', ') || 'none is needed',
      'What it says': first.map((line) => inShort(line, result)).join(' … ') || '–',
      Records: apps[front].written,
      'Delivered afterwards': delivered[front].records,
      'Counted as lost': countedAsLost?.(front) ?? apps[front].stats?.dropped ?? 'not told',
      'Said in lines': named.length,
    });
  }

  for (const front of fronts) {
    const codes = said[front].map(({ code }) => code);
    // A line of the same kind is held back for 30 s, and then said again.
    const kinds = codes.filter((code, i) => code !== codes[i - 1]);
    const expected = [...causes.map(({ code }) => code), ...after];
    expect(kinds, `${front} said:\n${apps[front].output}`).toEqual(expected);
    for (const cause of causes) {
      for (const words of cause.says) expect(firstLine(said[front], cause), front).toMatch(words);
    }
    expectUndisturbed(apps[front], file, front);
  }
}

function firstLine(said: RefusalResult['said'][Front], { code }: Cause): string {
  return said.find((one) => one.code === code)?.line ?? '';
}

/** Every record is in the topic, once and in order, and counted as acknowledged. */
export function expectAllDelivered({ apps, delivered }: RefusalResult): void {
  for (const front of fronts) {
    const { written, stats } = apps[front];
    const records = { records: written, missing: [], lost: 0, repeated: 0, reordered: 0 };
    expect(delivered[front], front).toMatchObject(records);
    expect(stats, front).toMatchObject({ written, acknowledged: written, dropped: 0 });
  }
}

/** Cause and remedy, without what differs from run to run. */
function inShort(line: string, { topic, directory }: Place): string {
  return line
    .replace(/^diaspora-logger [A-Z_]+: /, '')
    .replace(/ \(\d+ more of this kind since the last line\)$/, '')
    .replace(/ \([A-Z_]+ \d+(: [^)]*)?\)/, '')
    .replaceAll(/(localhost|127\.0\.0\.1):\d+/g, '$1:PORT')
    .replace(/ \(ErrId: \w+\)/, '')
    .replace(/"station-\w+"/, '"station"')
    .replaceAll(topic, 'logs')
    .replace(/\/\S+\/(dead-letters)-[0-9a-f-]+/, '…/$1-…')
    .replaceAll(directory, '…');
}
