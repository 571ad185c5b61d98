import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it, type TestContext } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { inParallel } from '../support/in-parallel.ts';
import { type AppEnd, ChildApp } from './driving/child-app.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Logged while no broker answers. */
const records = 100;

/** The default in the full form. */
const closeTimeoutMs = inForm({ full: 8_000, short: 2_000 });

/** For Node and its worker to end: 150 ms where the machine does nothing else, several times that where others have its processors. */
const marginMs = 1_000;

/** As `apps/ending.mjs` calls them. */
type Logger = 'pino' | 'pino in process' | 'winston' | 'none';

interface Ending {
  readonly way: string;
  readonly logger: Logger;
}

/** Without a handler of the app: what is in memory is lost, and nothing can say so. */
const signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

const isSignal = (way: string): boolean => signals.some((one) => one === way);

const everywhere = [
  'process.exit()',
  'running out of work',
  'an uncaught exception',
  'SIGTERM',
  'SIGINT',
];

const endings: readonly Ending[] = [
  ...[...everywhere, 'transport.end()'].map((way) => ({ way, logger: 'pino' as const })),
  ...[...everywhere, 'transport.end()'].map((way) => ({ way, logger: 'pino in process' as const })),
  ...[...everywhere, 'logger.end()'].map((way) => ({ way, logger: 'winston' as const })),
];

/** Nothing that is not done at once is done after it. */
const abrupt = endings.filter(({ way }) => way === 'process.exit()');

interface Ended extends AppEnd {
  /** From the ending call to the end of the process, in milliseconds. */
  readonly afterMs: number;
}

type EndingApp = ChildApp<object>;

/** Why no broker answers. */
interface Trouble {
  /** As the table calls it. */
  readonly name: string;
  /** What the line at the end says of it. */
  readonly cause: string;
  /** Whether the app is told of it before it ends: where requests are refused, not where they are never answered. */
  readonly isTold: boolean;
}

let plainEnds: ReadonlyMap<string, AppEnd>;

beforeAll(async () => {
  await buildPackage();
  const ways = [...new Set(endings.map(({ way }) => way))];
  const ends = await inParallel(2, ways, async (way) => {
    const app = await start({ way, logger: 'none' }, {});
    const { code, signal } = await end(app, way);
    return [way, { code, signal }] as const;
  });
  plainEnds = new Map(ends);
});

describe('An app whose broker was never there ends in time, and says what is lost', () => {
  // Port 9 is for a service that no machine has any more.
  const bootstrapBrokers = '127.0.0.1:9';
  const options = {
    bootstrapBrokers,
    topic: 'endings',
    tls: false,
    auth: { type: 'none' },
  } as const;
  const trouble = { name: 'broker never there', cause: 'cannot be reached', isTold: true };
  it.concurrent.for(endings)('$logger, $way', async (ending, context) => {
    const app = await start(ending, options);
    await expectToEnd(app, ending, trouble, context);
  });

  it.concurrent.for(abrupt)(
    '$logger, $way, and deadLetter has the records',
    async (ending, context) => {
      const { expect } = context;
      const deadLetter = await mkdtemp(join(tmpdir(), 'endings-'));
      try {
        const app = await start(ending, { ...options, deadLetter });
        const name = `${trouble.name}; with \`deadLetter\``;
        await expectToEnd(app, ending, { ...trouble, name }, context);
        const [, count, file = ''] = keptWords.exec(app.output) ?? [];
        expect(count).toBe(String(records));
        expect(await numbersIn(file)).toEqual(Array.from({ length: records }, (_, n) => n));
      } finally {
        await rm(deadLetter, { recursive: true });
      }
    },
  );
});

describe('An app that has a connection ends in time, and says what is lost,', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.stop());

  describe('when its broker is frozen', () => {
    const answered = endings.filter(
      ({ logger, way }) => logger !== 'pino in process' && !isSignal(way),
    );
    const apps = new Map<Ending, EndingApp>();
    beforeAll(async () => {
      await startConnected(stack, answered, apps);
      for (const broker of stack.brokers) broker.freeze();
    });
    afterAll(() => {
      for (const app of apps.values()) app.kill();
      for (const broker of stack.brokers) broker.thaw();
    });
    const trouble = { name: 'broker frozen', cause: 'no answer in time', isTold: false };
    it.concurrent.for(answered)('$logger, $way', async (ending, context) => {
      await expectToEnd(startedIn(apps, ending), ending, trouble, context);
    });
  });

  describe('when its broker is killed', () => {
    const apps = new Map<Ending, EndingApp>();
    beforeAll(async () => {
      await startConnected(stack, endings, apps);
      for (const broker of stack.brokers) await broker.kill();
    });
    afterAll(() => {
      for (const app of apps.values()) app.kill();
    });
    const trouble = { name: 'broker killed', cause: 'cannot be reached', isTold: true };
    it.concurrent.for(endings)('$logger, $way', async (ending, context) => {
      await expectToEnd(startedIn(apps, ending), ending, trouble, context);
    });
  });
});

/** What the line at the end says of dead letters: how many, and in which file. */
const keptWords = /(\d+) of them are in (\S+\.ndjson)\./;

/** The app's own numbers of the records in a file of dead letters, in its order. */
async function numbersIn(file: string): Promise<number[]> {
  const text = await readFile(file, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(JSON.parse(line).record.value).n);
}

/** Starts apps that have delivered a record each. */
async function startConnected(
  stack: Stack,
  each: readonly Ending[],
  apps: Map<Ending, EndingApp>,
): Promise<void> {
  const topic = uniqueTopic('endings');
  await stack.createTopic(topic);
  const { refreshToken } = await stack.globus.signIn();
  const env = { ...stack.env, DIASPORA_REFRESH: refreshToken };
  await inParallel(2, each, async (ending) => {
    const app = await start(ending, { topic }, env);
    apps.set(ending, app);
    await app.tell('log', 1);
    await app.tell('flush');
  });
}

function startedIn(apps: ReadonlyMap<Ending, EndingApp>, ending: Ending): EndingApp {
  const app = apps.get(ending);
  if (!app) throw new Error('It was not started.');
  return app;
}

async function start(
  { way, logger }: Ending,
  options: TransportOptions,
  env: Record<string, string> = {},
): Promise<EndingApp> {
  const args = [logger, way, JSON.stringify({ closeTimeoutMs, ...options })];
  const app: EndingApp = new ChildApp({ file: 'ending.mjs', args, env });
  await app.ready();
  return app;
}

/** Logs, waits until the app has been told what is wrong, where it is, and ends it. */
async function expectToEnd(
  app: EndingApp,
  { way, logger }: Ending,
  trouble: Trouble,
  context: TestContext,
): Promise<void> {
  const { expect } = context;
  await app.tell('log', records);
  if (trouble.isTold) await app.said('BROKER_UNREACHABLE');
  const { afterMs, code, signal } = await end(app, way);
  const said = app.diagnostics.filter((one) => one.code === 'NOT_DELIVERED');
  const words = new RegExp(
    `not delivered at close: (\\d+)\\. Why: .*?${trouble.cause}( \\(\\w+\\))?`,
  );
  const line = said[0]?.line ?? '';
  const [sentence = '', count] = words.exec(line) ?? [];
  const [, kept] = keptWords.exec(line) ?? [];
  const place = kept === undefined ? '' : `. ${kept} of them are in …/dead-letters-….ndjson.`;
  reportFigures(context, 'endings', {
    Ending: `${way === 'SIGINT' ? 'Ctrl-C' : way}, ${trouble.name}`,
    App: {
      pino: 'Pino, worker',
      'pino in process': 'Pino, in process',
      winston: 'Winston',
      none: '',
    }[logger],
    Records: records,
    'Ended after': `${(afterMs / 1000).toFixed(2)} s`,
    Deadline: `${closeTimeoutMs / 1000} s`,
    'What it says': sentence + place || 'nothing: what is in memory is lost',
  });

  expect(afterMs).toBeLessThan(closeTimeoutMs + marginMs);
  expect({ code, signal }).toEqual(plainEnds.get(way));
  expect(app.output).not.toContain('INTERNAL_ERROR');
  if (signal) {
    expect(signal).toBe(way);
    expect(said).toEqual([]);
  } else {
    expect(said).toHaveLength(1);
    expect(count).toBe(String(records));
  }
}

async function end(app: EndingApp, way: string): Promise<Ended> {
  const sentAt = performance.timeOrigin + performance.now();
  const signal = signals.find((one) => one === way);
  if (signal) app.kill(signal);
  // The process ends without an answer.
  else app.tell('end').catch(() => {});
  const ended = await app.ended();
  const endedAt = performance.timeOrigin + performance.now();
  const told = /^ending at ([\d.]+)$/m.exec(app.output)?.[1];
  return { ...ended, afterMs: endedAt - (told === undefined ? sentAt : Number(told)) };
}
