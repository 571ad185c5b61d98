import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditTopic } from '../../stack/audit.ts';
import { digestOf } from '../../stack/globus.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { ChildApp } from './driving/child-app.ts';
import { fronts, LoggingApp } from './driving/logging-app.ts';
import { type TokenRequests, tokenRequests } from './oracle/token-requests.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Of each transport in each round, and of each process. */
const records = 100;

/** Each opens all transports, delivers, and closes them; the first warms up. */
const rounds = inForm({ full: 8, short: 3 });

/** What a round may leave behind in the app's heap, on average from the first to the last, in bytes. */
const heapAllowance = 2 ** 20;

/** The same of the whole process with workers, beside what pino/file leaves: one worker that stays takes more. */
const residentAllowance = 4 * 2 ** 20;

/** After few rounds, resident memory tells more of the allocator than of what is left behind. */
const residentTells = inForm({ full: true, short: false });

/** How long connections may take to end on the other side once all is closed, in milliseconds. */
const settlingLimitMs = 5_000;

/** Longer than so many take to sign in on a busy machine, in milliseconds; Pino's worker has its own bound. */
const closeTimeoutMs = 60_000;

const inProcess = inForm({ full: 256, short: 64 });
const workers = inForm({ full: 32, short: 8 });
const processes = inForm({ full: 64, short: 12 });

/** Of access tokens that are to be renewed while all are open, in seconds. */
const shortLife = inForm({ full: 10, short: 5 });

/** The table's cells that only rounds fill. */
const noRounds = {
  'Sockets at most': '',
  'Sockets after': '',
  'Timers after': '',
  'Listeners after': '',
  'Memory after 1st and last round': '',
};

/** What `apps/many-transports.mjs` answers. */
interface State {
  readonly sockets: number;
  readonly descriptors: number;
  /** Of the app's thread. */
  readonly timers: number;
  readonly resources: readonly string[];
  /** On `process`, of all events. */
  readonly listeners: number;
  /** Heap of the app's thread and what it holds outside. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Names of the warnings that Node has given. */
  readonly warnings: readonly string[];
}

type ManyTransports = ChildApp<State>;

let stack: Stack;
let env: Record<string, string>;
/** Digest of the one that all share. */
let refreshToken: string;

beforeAll(async () => {
  await buildPackage();
  stack = await startStack();
  const signedIn = await stack.globus.signIn();
  env = { ...stack.env, DIASPORA_REFRESH: signedIn.refreshToken };
  refreshToken = digestOf(signedIn.refreshToken);
});
afterAll(() => stack.stop());

interface Many {
  /** As `apps/many-transports.mjs` calls it. */
  readonly kind: 'winston' | 'pino in process' | 'pino';
  readonly count: number;
  readonly what: string;
}

const many: readonly Many[] = [
  { kind: 'winston', count: inProcess, what: `${inProcess} Winston transports in one process` },
  { kind: 'pino in process', count: inProcess, what: `${inProcess} Pino transports in process` },
  { kind: 'pino', count: workers, what: `${workers} Pino workers in one process` },
];

describe(`${rounds} rounds of many transports in one process leave nothing behind`, () => {
  it.for(many)('$what', async ({ kind, count, what }, context) => {
    const topic = await newTopic();
    await stack.globus.reset();
    const inWorkers = kind === 'pino';
    const { before, opened, first, last } = await goThroughRounds(count, argsFor(kind, topic));
    // Pino itself, and Node's workers, keep something of each.
    const file = inWorkers ? await goThroughRounds(count, ['pino/file', '{}']) : null;
    const memoryOf = (state: State): number => (inWorkers ? state.rssBytes : state.heapBytes);
    const memory = `${mebibytes(memoryOf(first))} and ${mebibytes(memoryOf(last))}`;
    const ofFile =
      file &&
      ` (pino/file: ${mebibytes(memoryOf(file.first))} and ${mebibytes(memoryOf(file.last))})`;
    const sources = count * rounds;
    const { lost, repeated } = await audit(topic, sources, records);
    const asked = await requestsSoFar();
    reportFigures(context, 'scale', {
      What: `${what}, ${rounds} rounds`,
      Records: sources * records,
      Lost: lost,
      Repeated: repeated,
      'Token requests': asked.count,
      'Token requests at once': asked.mostAtOnce,
      'Sockets at most': Math.max(...opened.map(({ sockets }) => sockets)) - before.sockets,
      'Sockets after': last.sockets - before.sockets,
      'Timers after': last.timers - before.timers,
      'Listeners after': last.listeners - before.listeners,
      'Memory after 1st and last round': memory + (ofFile ?? ''),
    });

    expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
    // One a thread and identity, and each round begins anew.
    expect(asked.count).toBe(inWorkers ? sources : rounds);
    if (!inWorkers) expect(asked.mostAtOnce).toBe(1);
    for (const state of [first, last]) {
      const { sockets, descriptors, timers, resources, listeners } = before;
      expect(state).toMatchObject({ sockets, descriptors, timers, resources, listeners });
    }
    expect(last.heapBytes - first.heapBytes).toBeLessThan((rounds - 1) * heapAllowance);
    if (file && residentTells) {
      const grown = last.rssBytes - first.rssBytes - (file.last.rssBytes - file.first.rssBytes);
      expect(grown).toBeLessThan((rounds - 1) * residentAllowance);
    }
    // Pino adds a listener for each worker while it starts, and Node warns of more than ten.
    expect(last.warnings).toEqual(file?.last.warnings ?? []);
  });
});

/** Workers are threads, each with a token of its own. */
const sharing = many.filter(({ kind }) => kind !== 'pino').slice(0, inForm({ full: 2, short: 1 }));

describe('Many transports of one identity in one process share its token', () => {
  it.for(sharing)('$what, when it is renewed', async ({ kind, count, what }, context) => {
    const topic = await newTopic();
    await stack.globus.reset();
    await stack.globus.set({ accessTokenTtl: shortLife });
    const args = argsFor(kind, topic);
    const app: ManyTransports = new ChildApp({ file: 'many-transports.mjs', args, env });
    try {
      await app.ready();
      await app.tell('open', { count, records });
      await expect
        .poll(async () => (await requestsSoFar()).count, { timeout: 2_000 * shortLife })
        .toBeGreaterThan(1);
      await app.tell('log', { records });
      await app.tell('close');
    } finally {
      app.kill();
    }
    const asked = await requestsSoFar();
    const each = records * 2;
    const { lost, repeated } = await audit(topic, count, each);
    reportFigures(context, 'scale', {
      What: `${what}, with tokens of ${shortLife} s that are renewed meanwhile`,
      Records: count * each,
      Lost: lost,
      Repeated: repeated,
      'Token requests': asked.count,
      'Token requests at once': asked.mostAtOnce,
      ...noRounds,
    });
    expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
    expect(asked.mostAtOnce).toBe(1);
  });
});

describe('Many processes at once', () => {
  it(`${processes} lose nothing`, async (context) => {
    const topic = await newTopic();
    await stack.globus.reset();
    const started: LoggingApp[] = [];
    try {
      const starting = Array.from({ length: processes }, async (_, i) => {
        const app = await LoggingApp.start(i % 2 ? 'pino' : 'winston', { topic }, env);
        started.push(app);
        return app;
      });
      const apps = await Promise.all(starting);
      await Promise.all(apps.map((app) => app.burst({ count: records })));
      const ends = await Promise.all(apps.map((app) => app.end()));
      const { lost, repeated } = await audit(topic, processes, records);
      const asked = await requestsSoFar();
      reportFigures(context, 'scale', {
        What: `${processes} processes at once, ${fronts.join(' and ')}`,
        Records: processes * records,
        Lost: lost,
        Repeated: repeated,
        'Token requests': asked.count,
        'Token requests at once': asked.mostAtOnce,
        ...noRounds,
      });
      expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
      expect(asked.count).toBe(processes);
      for (const one of ends) {
        expect(one).toMatchObject({ code: 0, errorEvents: 0 });
        expect(one.stats).toMatchObject({ written: records, acknowledged: records });
      }
    } finally {
      for (const app of started) app.kill();
    }
  });
});

async function newTopic(): Promise<string> {
  const topic = uniqueTopic('scale');
  await stack.createTopic(topic, { partitions: 3 });
  return topic;
}

/** For `apps/many-transports.mjs`. */
function argsFor(kind: Many['kind'], topic: string): string[] {
  return [kind, JSON.stringify({ topic, sourceHeaders: true, closeTimeoutMs })];
}

function requestsSoFar(): Promise<TokenRequests> {
  return tokenRequests(stack.globus, { refreshToken, tokenLife: shortLife });
}

/** What the topic tells of so many sources, each of so many records. */
async function audit(
  topic: string,
  sources: number,
  each: number,
): Promise<{ lost: number; repeated: number }> {
  const found = await auditTopic(stack.readTopic(topic));
  const different = [...found.sources.values()].reduce((sum, one) => sum + one, 0);
  if (found.sources.size > sources) throw new Error(`${found.sources.size} sources wrote.`);
  return { lost: sources * each - different, repeated: found.repeated.length };
}

interface Rounds {
  readonly before: State;
  /** While all are open, of each round. */
  readonly opened: readonly State[];
  /** After the first round, and after the last. */
  readonly first: State;
  readonly last: State;
}

/** Opens, uses and closes so many transports in an app, again and again. */
async function goThroughRounds(count: number, args: readonly string[]): Promise<Rounds> {
  const app: ManyTransports = new ChildApp({ file: 'many-transports.mjs', args, env });
  try {
    await app.ready();
    const before = await app.tell('state');
    const opened: State[] = [];
    const closed: State[] = [];
    for (let round = 0; round < rounds; round += 1) {
      opened.push(await app.tell('open', { count, records }));
      await app.tell('close');
      closed.push(await settled(app, before));
    }
    return { before, opened, first: closed[0] ?? before, last: closed.at(-1) ?? before };
  } finally {
    app.kill();
  }
}

/** The other side of a connection ends it a moment later. Answers the state where it stays as it is, too. */
async function settled(app: ManyTransports, before: State): Promise<State> {
  const until = performance.now() + settlingLimitMs;
  for (;;) {
    const state = await app.tell('state');
    const done = state.sockets <= before.sockets && state.timers <= before.timers;
    if (done || performance.now() > until) return state;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
