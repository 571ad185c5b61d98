import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { digestOf, type SeenRequest, type TokenFault } from '../../stack/globus.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { appNames, type Front, fronts, LoggingApp } from './driving/logging-app.ts';
import { arrivalTimes } from './oracle/read-back.ts';
import { requestsOf, type TokenRequests, tokenRequests } from './oracle/token-requests.ts';
import { expectNothingLost, goThrough } from './outage.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** Seconds. */
const tokenLife = 20;

/** Share of a token's life that is over when it is renewed at the earliest. */
const renewalDue = 0.75;

/** The app counts a token's life from when it asks, the record from when it hears of that: so much later at most, in seconds. */
const hearingTakes = 0.2;

let stack: Stack;
beforeAll(async () => {
  await buildPackage();
  stack = await startStack({ accessTokenTtl: tokenLife });
});
afterAll(() => stack.stop());

interface EndpointFault {
  readonly fault: TokenFault;
  /** Whether a request has met it. */
  readonly isMetBy: (request: SeenRequest) => boolean;
}

const endpointFaults: readonly EndpointFault[] = [
  { fault: { kind: 'status', status: 503 }, isMetBy: ({ status }) => status === 503 },
  {
    fault: { kind: 'status', status: 429, retryAfter: '1' },
    isMetBy: ({ status }) => status === 429,
  },
  { fault: { kind: 'hang' }, isMetBy: ({ status, until }) => status === null && until === null },
];

/** Milliseconds for which a fault goes on once all have met it, and of good health after it. */
const [goesOnMs, goodMs] = inForm({ full: [20_000, 15_000], short: [2_000, 0] });

/** Waits until each of these refresh tokens was shown in a request that has met it. */
async function metByAll(
  refreshTokens: readonly string[],
  isMetBy: EndpointFault['isMetBy'],
): Promise<void> {
  const isMet = async (refreshToken: string): Promise<boolean> =>
    (await requestsOf(stack.globus, refreshToken)).some(isMetBy);
  for (const refreshToken of refreshTokens) {
    while (!(await isMet(refreshToken))) await sleep(100);
  }
}

function reportTokens(context: TestContext, { fault, front, asked, first = '–' }: TokenRow): void {
  reportFigures(context, 'tokens', {
    Fault: fault,
    App: appNames[front],
    'Token requests': asked.count,
    'Most at once': asked.mostAtOnce,
    'Earliest renewal (share of life)': `${(asked.earliestRenewal * 100).toFixed(1)} %`,
    'First record after silence': first,
  });
}

interface TokenRow {
  readonly fault: string;
  readonly front: Front;
  readonly asked: TokenRequests;
  readonly first?: string;
}

function expectSparing(asked: TokenRequests, life: number, front: Front): void {
  expect(asked.mostAtOnce, front).toBe(1);
  expect(asked.earliestRenewal, front).toBeGreaterThan(renewalDue - hearingTakes / life);
  expect(asked.earliestRenewal, front).toBeLessThan(1);
}

describe(`With tokens of ${tokenLife} s`, () => {
  it('nothing is lost where the token endpoint fails in each way beyond a token’s end', async (context) => {
    const fault = `Tokens of ${tokenLife} s; the token endpoint answers 503, 429, hangs`;
    const result = await goThrough({
      fault,
      stack,
      async apply({ refreshTokens }) {
        for (const { fault, isMetBy } of endpointFaults) {
          await stack.globus.failTokens(fault);
          await metByAll(Object.values(refreshTokens), isMetBy);
          await sleep(goesOnMs);
          if (goodMs > 0) await stack.globus.failTokens(null);
          await sleep(goodMs);
        }
        await stack.globus.failTokens(null);
      },
    });
    // All of them, to the app's end: those after the last fault count, too.
    const asked = new Map<Front, TokenRequests>();
    for (const front of fronts) {
      const refreshToken = result.refreshTokens[front];
      asked.set(front, await tokenRequests(stack.globus, { refreshToken, tokenLife }));
    }
    for (const [front, requests] of asked) {
      reportTokens(context, { fault, front, asked: requests });
    }
    expectNothingLost(context, result);
    for (const front of fronts) {
      // A good token has ended meanwhile.
      expect(result.delivered[front].longestGapMs, front).toBeGreaterThan(2_000);
      expect(new Set(result.said[front]), front).toEqual(
        new Set(['TOKEN_ENDPOINT_UNAVAILABLE', 'DELIVERY_RESUMED']),
      );
    }
    for (const [front, requests] of asked) expectSparing(requests, tokenLife, front);
  });

  const [silenceMs, silence, life] = inForm({
    full: [60_000, '60 s', tokenLife] as const,
    short: [15_000, '15 s', 10] as const,
  });

  it(`the first record after ${silence} of silence goes out at once, without a word`, async (context) => {
    await stack.globus.reset();
    await stack.globus.set({ accessTokenTtl: life });
    const fault = `Silence of ${silence}, tokens of ${life} s`;
    const topic = uniqueTopic('silence');
    await stack.createTopic(topic, { config: arrivalTimes });

    const beSilent = async (front: Front) => {
      const { refreshToken } = await stack.globus.signIn();
      const env = { ...stack.env, DIASPORA_REFRESH: refreshToken };
      const app = await LoggingApp.start(front, { topic }, env);
      try {
        await app.burst({ count: 1 });
        await app.flush();
        await sleep(silenceMs);
        await app.burst({ count: 1 });
        await app.flush();
        const asked = await tokenRequests(stack.globus, {
          refreshToken: digestOf(refreshToken),
          tokenLife: life,
        });
        const end = await app.end();
        const waitedMs = await waitOfRecord(topic, front, 1);
        return { front, asked, end, waitedMs, said: app.diagnostics };
      } finally {
        app.kill();
      }
    };
    const silent = await Promise.all(fronts.map(beSilent));

    for (const { front, asked, waitedMs } of silent) {
      reportTokens(context, { fault, front, asked, first: `${waitedMs} ms` });
    }
    for (const { front, asked, end, waitedMs, said } of silent) {
      expect(said, front).toEqual([]);
      expect(end, front).toMatchObject({ code: 0, errorEvents: 0 });
      expect(waitedMs, front).toBeLessThan(2_000);
      expectSparing(asked, life, front);
    }
  });
});

/** Milliseconds from the log call of the front's nth record to its being stored. */
async function waitOfRecord(topic: string, front: Front, n: number): Promise<number> {
  for await (const { value, timestamp } of stack.readTopic(topic)) {
    const logged = JSON.parse(String(value));
    if (logged.front === front && logged.n === n) return timestamp - logged.at;
  }
  throw new Error(`Record ${n} of ${front} is not in the topic.`);
}
