import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import { resolveConsumer, resolveProducer, resolveTransport } from '../../../src/options.ts';
import { DiasporaLogger } from '../../../src/produce/logger.ts';
import diaspora from '../../../src/transports/pino.ts';
import { DiasporaTransport } from '../../../src/transports/winston.ts';
import { reportFigures } from '../report/figures.ts';
import { inForm } from '../report/form.ts';
import { optionShapes, secret } from './option-shapes.ts';
import { seedsOr, shownSeeds } from './seeds.ts';

const seeds = seedsOr(inForm({ full: [1, 2, 3, 4, 5, 6, 7, 8], short: [1, 2] }));

const shapesOfASeed = inForm({ full: 1_500, short: 250 });

/** Nothing that options ask for at start takes so long, in milliseconds: unless the machine itself was held up, which is seldom so twice. */
const longestMs = 1_000;

/** Ways in, each with how to leave again. They take whatever is given: JavaScript asks for no types. */
const entries: Readonly<Record<string, (options: never) => Promise<unknown>>> = {
  async resolveTransport(options) {
    resolveTransport(options);
  },
  async resolveProducer(options) {
    resolveProducer(options);
  },
  async resolveConsumer(options) {
    resolveConsumer(options);
  },
  async pino(options) {
    const stream = diaspora(options);
    await new Promise((resolve) => stream.once('close', resolve).end());
  },
  async winston(options) {
    const transport = new DiasporaTransport(options);
    await new Promise((resolve) => transport.once('finish', resolve).end());
  },
  async producer(options) {
    await new DiasporaLogger(options).close();
  },
  async consumer(options) {
    await new DiasporaConsumer(options).close();
  },
};

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'fuzz-options-'));
  // Nothing of this machine's own settings, and no token store but an empty one.
  for (const name of Object.keys(process.env)) {
    if (/^(DIASPORA|AWS)_/.test(name)) vi.stubEnv(name, undefined);
  }
  vi.stubEnv('DIASPORA_USER_DIR', home);
  // Where nothing else is said, and nothing answers either.
  vi.stubEnv('DIASPORA_ISSUER', 'http://127.0.0.1:1');
  vi.stubEnv('DIASPORA_SERVICE_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(home, 'credentials'));
  vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config'));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

interface Case {
  readonly entry: string;
  readonly options: unknown;
  readonly shown: string;
  /** What was thrown; undefined where the options were accepted. */
  readonly error: unknown;
  readonly milliseconds: number;
}

it('Options of any shape work, or are refused by name', async (context) => {
  const before = inspect(Object.getOwnPropertyNames(Object.prototype));
  const cases: Case[] = [];
  for (const seed of seeds) {
    for (const options of fc.sample(optionShapes(home), { seed, numRuns: shapesOfASeed })) {
      for (const entry of Object.keys(entries)) cases.push(await enter(entry, options));
    }
  }
  const crashes = cases.filter(({ error }) => error !== undefined && !isNamed(error));
  const late = cases.filter(isLate);
  const again: Case[] = [];
  for (const { entry, options } of late) again.push(await enter(entry, options));
  const hangs = again.filter(isLate);
  reportFigures(context, 'fuzz', {
    What: 'Options',
    Seeds: shownSeeds(seeds),
    Cases: cases.length,
    Crashes: crashes.length,
    Hangs: hangs.length,
    'Silent losses': '–',
    Spared: '–',
  });
  expect(crashes.slice(0, 5)).toEqual([]);
  expect(hangs.slice(0, 5)).toEqual([]);
  const telling = cases.filter(({ error }) => inspect(error, { depth: 5 }).includes(secret));
  expect(telling.slice(0, 5)).toEqual([]);
  expect(inspect(Object.getOwnPropertyNames(Object.prototype))).toBe(before);
  // Both ends are met, at every way in.
  for (const entry of Object.keys(entries)) {
    const own = cases.filter((one) => one.entry === entry);
    expect(
      own.some(({ error }) => error === undefined),
      entry,
    ).toBe(true);
    expect(
      own.some(({ error }) => error !== undefined),
      entry,
    ).toBe(true);
  }
});

async function enter(entry: string, options: unknown): Promise<Case> {
  const shown = inspect(options, { depth: 4, maxStringLength: 100 });
  const begun = performance.now();
  const error = await entries[entry]?.(options as never).then(
    () => undefined,
    (thrown: unknown) => thrown ?? 'nothing',
  );
  return { entry, options, shown, error, milliseconds: performance.now() - begun };
}

function isLate({ milliseconds }: Case): boolean {
  return milliseconds > longestMs;
}

/** Whoever reads it knows which option it is about, or that there are no options at all. */
function isNamed(error: unknown): boolean {
  if (!(error instanceof ConfigurationError)) return false;
  return error.option !== undefined || error.message.startsWith('Options must be an object');
}
