import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { fronts } from './driving/logging-app.ts';
import { type Cause, expectAllDelivered, expectNamed, meetRefusal } from './refusal.ts';
import { inForm } from './report/form.ts';

/** Seconds. A session with the broker ends with its token. */
const accessTokenTtl = inForm({ full: 10, short: 5 });

/** Several tokens long, in milliseconds. */
const loggedMs = inForm({ full: 28_000, short: 10_000 });

const hourMs = 3_600_000;

let stack: Stack;
beforeAll(async () => {
  await buildPackage();
  stack = await startStack({ accessTokenTtl });
});
afterAll(() => stack.stop());

const clockSkew: Cause = {
  code: 'CLOCK_SKEW',
  says: [/time is further off than topic \S+ takes/, /check this clock/],
};

const clocks: readonly { name: string; shiftMs: number; causes: readonly Cause[] }[] = [
  { name: 'an hour ahead', shiftMs: hourMs, causes: [] },
  { name: 'an hour behind', shiftMs: -hourMs, causes: [] },
  // A broker refuses times more than an hour ahead of its own clock, where it is left at its default.
  { name: 'two hours ahead', shiftMs: 2 * hourMs, causes: [clockSkew] },
];

describe.concurrent('An app whose clock is wrong delivers everything, and renews its token in time', () => {
  for (const { name, shiftMs, causes } of clocks) {
    it(name, (context) =>
      meetRefusal(
        context,
        {
          fault: `The app's clock ${name}`,
          stack,
          env: {
            NODE_OPTIONS: `--import=${new URL('./apps/shifted-clock.mjs', import.meta.url)}`,
            CLOCK_SHIFT_MS: String(shiftMs),
          },
          prepare: ({ topic }) => stack.createTopic(topic, { partitions: 3 }),
          async meet({ each, measure }) {
            await each((app) => app.flush());
            await measure();
            await sleep(loggedMs);
          },
        },
        (result) => {
          expectNamed(context, result, { causes });
          expectAllDelivered(result);
          for (const front of fronts) {
            const renewed = result.apps[front].output.match(/^A token was renewed\.$/gm)?.length;
            // At 75 to 85 % of its life; the first one counts, too.
            const life = accessTokenTtl * 1000;
            expect(renewed, front).toBeGreaterThan(Math.floor(loggedMs / (0.85 * life)));
            expect(renewed, front).toBeLessThanOrEqual(2 + Math.ceil(loggedMs / (0.75 * life)));
          }
        },
      ),
    );
  }
});
