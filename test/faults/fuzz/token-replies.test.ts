import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTokenSource, type TokenSource } from '../../../src/auth/token-source.ts';
import { type DiagnosticEvent, Diagnostics } from '../../../src/diagnostics.ts';
import { AuthenticationError } from '../../../src/errors.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { nativeAppClientId as oauthClientId } from '../../../stack/globus-facts.ts';
import { reportFigures } from '../report/figures.ts';
import { inForm } from '../report/form.ts';
import { AnswerFuzz, AnswerProxy, textsIn } from './answer-proxy.ts';
import { Random, seedsOr, shownSeeds } from './seeds.ts';

/** Each seed is an identity of its own. */
const seeds = seedsOr(
  Array.from({ length: inForm({ full: 400, short: 40 }) }, (_, index) => index + 1),
);

/** So many identities ask at the same time. */
const atATime = 40;

/** Spoilt answers of each. */
const answers = 5;

const requestTimeoutMs = 400;

/** Four requests at their deadline, and the longest that there may be between them (src/auth/token-endpoint.ts), in milliseconds. */
const longestCallMs = 4 * requestTimeoutMs + 500 + 1_000 + 2_000 + 1_500;

/** A source may keep away from its endpoint for as long as 30 s, and answers at once meanwhile; in milliseconds. */
const recovery = { timeout: 45_000, interval: 50 };

let globus: Globus;
let home: string;
beforeAll(async () => {
  globus = await startGlobus();
  home = await mkdtemp(join(tmpdir(), 'fuzz-tokens-'));
});
afterAll(async () => {
  await globus.stop();
  await rm(home, { recursive: true });
});

interface Fuzzed {
  readonly seed: number;
  readonly fuzz: AnswerFuzz;
  readonly tokens: readonly string[];
  readonly errors: readonly unknown[];
  readonly events: readonly DiagnosticEvent[];
  readonly longestMs: number;
  readonly secrets: readonly string[];
}

it('Whatever answers of the token endpoint are changed, cut and repeated, a source fails in words and recovers', async (context) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  const results: Fuzzed[] = [];
  for (let first = 0; first < seeds.length; first += atATime) {
    results.push(...(await Promise.all(seeds.slice(first, first + atATime).map(run))));
  }
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  const late = results.filter(({ longestMs }) => longestMs > longestCallMs);
  reportFigures(context, 'fuzz', {
    What: 'Token endpoint answers',
    Seeds: shownSeeds(seeds),
    Cases: results.reduce((sum, { fuzz }) => sum + fuzz.spoilt, 0),
    Crashes: unhandled.length,
    Hangs: late.length,
    'Silent losses': '–',
    Spared: results.reduce((sum, { fuzz }) => sum + fuzz.withheld, 0),
  });
  expect(unhandled).toEqual([]);
  expect(late.map(({ seed }) => seed)).toEqual([]);
  for (const result of results) expectInOrder(result);
});

function expectInOrder({ seed, fuzz, tokens, errors, events, secrets }: Fuzzed): void {
  const why = `seed ${seed}`;
  expect(fuzz.over, why).toBe(true);
  const given = new Set(fuzz.sent.flatMap((bytes) => textsIn(bytes, 'access_token')));
  for (const token of tokens) {
    expect([...given], why).toContain(token);
    // What RFC 6750 section 2.1 lets a token have: anything else is none, and could break the message that carries it.
    expect(token, why).toMatch(/^[\x21-\x7e]+$/);
  }
  for (const error of errors) expect(error, why).toBeInstanceOf(AuthenticationError);
  const said = [
    ...errors.map((error) => inspect(error, { depth: 10 })),
    ...events.map((event) => JSON.stringify(event)),
  ];
  for (const secret of secrets) {
    // Also in part: a parser's message may quote a piece.
    for (let at = 0; at + 12 <= secret.length; at += 1) {
      const piece = secret.slice(at, at + 12);
      expect(
        said.find((line) => line.includes(piece)),
        why,
      ).toBeUndefined();
    }
  }
}

/** Sources follow one another, a new one after each token; the last one must get over what it has met. */
async function run(seed: number): Promise<Fuzzed> {
  const fuzz = new AnswerFuzz({ random: new Random(seed), answers });
  const proxy = await AnswerProxy.start(globus.issuer, fuzz);
  const { refreshToken } = await globus.signIn();
  const events: DiagnosticEvent[] = [];
  const diagnostics = new Diagnostics((event) => events.push(event));
  const env = { DIASPORA_USER_DIR: join(home, String(seed)) };
  const auth = { type: 'globus', issuer: proxy.url, oauthClientId, refreshToken } as const;
  const tokens: string[] = [];
  const errors: unknown[] = [];
  let longestMs = 0;
  let recovered = false;
  const ask = async (source: TokenSource): Promise<boolean> => {
    const begun = performance.now();
    try {
      tokens.push((await source.token()).value);
      return true;
    } catch (error) {
      errors.push(error);
      return false;
    } finally {
      longestMs = Math.max(longestMs, performance.now() - begun);
    }
  };
  while (!recovered) {
    const source = createTokenSource({ auth, diagnostics, requestTimeoutMs, env });
    const failed = !(await ask(source));
    if (failed && fuzz.over) await vi.waitUntil(() => ask(source), recovery);
    recovered = fuzz.over;
    source.close();
  }
  proxy.close();
  const secrets = [refreshToken, ...tokens];
  return { seed, fuzz, tokens, errors, events, longestMs, secrets };
}
