import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Broker } from '../../stack/broker.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { expectNothingLost, goThrough } from './outage.ts';
import { inForm } from './report/form.ts';

beforeAll(() => buildPackage());

/**
 * Another broker leads only once the controller has heard nothing for 9 s, of which two may be over: records for what a dead or
 * frozen leader led wait so long at least, in milliseconds.
 */
const leaderlessMs = 5_000;

/** Seconds: apps and readers renew theirs in the tests that last longer, those of the full form. */
const accessTokenTtl = 60;

describe('With one broker, nothing is lost or repeated', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ accessTokenTtl });
  });
  afterAll(() => stack.stop());

  const [stopMs, stopped] = inForm({ full: [30_000, '30 s'], short: [5_000, '5 s'] });
  it(`when it is stopped for ${stopped}`, async (context) => {
    const apply = async (): Promise<void> => {
      const [broker] = stack.brokers;
      await broker?.stop();
      await sleep(stopMs);
      await broker?.start();
    };
    const fault = `The only broker stopped for ${stopped}`;
    const outage = goThrough({ fault, stack, apply, stopsForMs: stopMs });
    expectNothingLost(context, await outage);
  });
});

describe('With three brokers, nothing is lost or repeated', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ brokers: 3, accessTokenTtl });
  });
  afterAll(() => stack.stop());

  const leaderOf = async (topic: string): Promise<Broker> => {
    const leader = (await stack.leaders(topic)).get(0);
    const broker = stack.brokers.find(({ id }) => id === leader);
    if (!broker) throw new Error(`Partition 0 of ${topic} has no leader.`);
    return broker;
  };

  it('when a leader is killed', async (context) => {
    const fault = 'A leader of three killed (SIGKILL), started again after 10 s';
    const outage = goThrough({
      fault,
      stack,
      async apply({ topic }) {
        const leader = await leaderOf(topic);
        await leader.kill();
        await sleep(10_000);
        await leader.start();
      },
      waitsForMs: leaderlessMs,
    });
    expectNothingLost(context, await outage);
  });

  it('when all are restarted, one after the other', async (context) => {
    const fault = 'Rolling restart of all three';
    const outage = goThrough({
      fault,
      stack,
      async apply() {
        for (const broker of stack.brokers) {
          await broker.stop();
          await broker.start();
          await sleep(inForm({ full: 5_000, short: 1_000 }));
        }
      },
    });
    expectNothingLost(context, await outage);
  });

  const [freezeMs, frozen] = inForm({ full: [40_000, '40 s'], short: [12_000, '12 s'] });
  it(`when a leader is frozen for ${frozen}`, async (context) => {
    const fault = `A leader of three frozen (SIGSTOP) for ${frozen}`;
    const outage = goThrough({
      fault,
      stack,
      async apply({ topic }) {
        const leader = await leaderOf(topic);
        leader.freeze();
        await sleep(freezeMs);
        leader.thaw();
      },
      waitsForMs: leaderlessMs,
    });
    expectNothingLost(context, await outage);
  });
});
