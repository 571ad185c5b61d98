import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { TransportOptions } from '../../src/options.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { appNames, type Front, fronts, type LoggingApp } from './driving/logging-app.ts';
import {
  type ByteResets,
  resetAtEachOffset,
  resetWhileStarting,
  type Sweep,
} from './network/byte-resets.ts';
import { missedOfProduce, placeOf } from './network/cut-place.ts';
import type { Cut, Direction } from './network/proxied-connection.ts';
import { TcpProxy } from './network/tcp-proxy.ts';
import { arrivalTimes, readBack } from './oracle/read-back.ts';
import { expectNothingLost, goThrough, type OutageContext, type OutageResult } from './outage.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

let stack: Stack;
/** Before the listener that users sign in to, with TLS. */
let secured: TcpProxy;
/** Before the listener in plain text, whose bytes are the protocol's own. */
let plain: TcpProxy;

beforeAll(async () => {
  await buildPackage();
  stack = await startStack({
    accessTokenTtl: 60,
    async advertise(listener, _broker, address) {
      if (listener === 'OAUTH') {
        secured = await TcpProxy.start({ ...address, host: '127.0.0.1' });
        return { ...address, port: secured.port };
      }
      if (listener === 'INTERNAL') {
        plain = await TcpProxy.start(address);
        return { ...address, port: plain.port };
      }
      return address;
    },
  });
});
afterAll(async () => {
  await stack?.stop();
  secured?.close();
  plain?.close();
});

describe('With a proxy in between, nothing is lost or repeated', () => {
  /** The least that the package takes; 30 s by default. */
  const shortTimeout = { requestTimeoutMs: 6_000 };
  const [options, patience] = inForm<[TransportOptions, string]>({
    full: [{}, ''],
    short: [shortTimeout, ', requestTimeoutMs 6 s'],
  });
  const aroundMs = inForm({ full: 10_000, short: 1_000 });

  const resumed = async ({ apps }: OutageContext): Promise<void> => {
    await Promise.all(fronts.map((front) => apps[front].said('DELIVERY_RESUMED')));
  };
  const expectTimeOutSaid = ({ apps }: OutageResult): void => {
    for (const front of fronts) expect(apps[front].output, front).toContain('REQUEST_TIMED_OUT');
  };

  const [silenceMs, silence] = inForm({ full: [60_000, '60 s'], short: [8_000, '8 s'] });
  it(`when it falls silent for ${silence}`, async (context) => {
    const result = await goThrough({
      fault: `Proxy silent in mid-connection for ${silence}${patience}`,
      stack,
      stopsForMs: silenceMs,
      options,
      aroundMs,
      async apply(outage) {
        secured.silence();
        await sleep(silenceMs);
        secured.speak();
        await resumed(outage);
      },
    });
    expectNothingLost(context, result);
    expectTimeOutSaid(result);
  });

  const delayMs = 200;
  const [delayForMs, delayFor] = inForm({ full: [60_000, '60 s'], short: [3_000, '3 s'] });
  it(`when it delays everything by ${delayMs} ms for ${delayFor}`, async (context) => {
    const result = await goThrough({
      fault: `Proxy with ${delayMs} ms of delay in each direction for ${delayFor}`,
      stack,
      aroundMs,
      async apply() {
        secured.delayMs = delayMs;
        await sleep(delayForMs);
        secured.delayMs = 0;
      },
    });
    expectNothingLost(context, result);
    for (const front of fronts) {
      expect(result.delivered[front].longestWaitMs, front).toBeGreaterThanOrEqual(delayMs);
    }
  });

  const times = inForm({ full: 20, short: 5 });
  it(`when it loses answers and resets, ${times} times`, async (context) => {
    const result = await goThrough({
      fault: `Answers lost, then the connection reset, ${times} times`,
      stack,
      aroundMs,
      async apply({ apps }) {
        for (let time = 0; time < times; time += 1) {
          const before = {
            pino: await retriesOf(apps.pino),
            winston: await retriesOf(apps.winston),
          };
          secured.loseAnswers('reset');
          await Promise.all(fronts.map((front) => retriedAfter(before[front], apps[front])));
        }
      },
    });
    expectNothingLost(context, result);
    for (const front of fronts) {
      expect(result.apps[front].stats?.retries, front).toBeGreaterThanOrEqual(times);
    }
  });

  it('when it loses an answer and is silent from then on', async (context) => {
    const result = await goThrough({
      fault: `Answers lost, then silence on these connections${patience}`,
      stack,
      options,
      aroundMs,
      async apply(outage) {
        secured.loseAnswers('silence');
        await resumed(outage);
      },
    });
    expectNothingLost(context, result);
    expectTimeOutSaid(result);
  });
});

/** How often the app had to make an attempt again so far. */
async function retriesOf(app: LoggingApp): Promise<number> {
  const { stats } = await app.flush();
  return stats?.retries ?? 0;
}

/** Resolves when the app, which logs all the while, had to make more attempts again than before. */
async function retriedAfter(before: number, app: LoggingApp): Promise<void> {
  while ((await retriesOf(app)) <= before);
}

interface Way {
  readonly listener: string;
  readonly proxy: () => TcpProxy;
  /** Every how many bytes of the conversation a connection is reset. */
  readonly step: number;
  /** How many bytes shorter one conversation may be than another. */
  readonly varyingBytes: number;
  readonly options: () => TransportOptions;
  readonly env: () => Promise<Record<string, string>>;
}

const inPlainText: Way = {
  listener: 'Plain text',
  proxy: () => plain,
  step: inForm({ full: 1, short: 18 }),
  varyingBytes: 0,
  options: () => ({
    bootstrapBrokers: stack.bootstrap('INTERNAL'),
    auth: { type: 'none' },
    tls: false,
  }),
  env: async () => ({}),
};

const signedIn: Way = {
  listener: 'TLS, OAUTHBEARER',
  proxy: () => secured,
  step: inForm({ full: 2, short: 150 }),
  // An ECDSA signature has 70 to 72 bytes, and seldom some less; a session ticket's length is the broker's own affair.
  varyingBytes: 16,
  options: () => ({}),
  async env() {
    const { refreshToken } = await stack.globus.signIn();
    return { ...stack.env, DIASPORA_REFRESH: refreshToken };
  },
};

/** An app that was through before so many bytes had no whole conversation at its start. */
const leastConversation = 300;

/** Answers the sweeps' cuts. */
async function goThroughResets(
  context: TestContext,
  way: Way,
  direction: Direction,
): Promise<Record<Front, readonly Cut[]>> {
  const { listener, proxy, step, varyingBytes } = way;
  const topic = uniqueTopic('resets');
  await stack.createTopic(topic, { config: arrivalTimes });
  const options = { topic, ...way.options() };
  const env = await way.env();
  // One after the other: which connection is whose must be known.
  const go = async (front: Front): Promise<{ starting: ByteResets; sweep: Sweep }> => {
    const run = { front, proxy: proxy(), direction, step, options, env };
    return { starting: await resetWhileStarting(run), sweep: await resetAtEachOffset(run) };
  };
  const runs = { pino: await go('pino'), winston: await go('winston') };
  const writtenBy = ({ starting, sweep }: (typeof runs)[Front]): number =>
    starting.ended.written + sweep.ended.written;
  const written = { pino: writtenBy(runs.pino), winston: writtenBy(runs.winston) };
  const delivered = await readBack(stack, topic, written);

  for (const front of fronts) {
    const { starting, sweep } = runs[front];
    const { records, lost, repeated, reordered } = delivered[front];
    const last = sweep.cuts.at(-1)?.afterBytes ?? 0;
    reportFigures(context, 'resets', {
      Listener: listener,
      Direction: direction === 'to server' ? 'App to broker' : 'Broker to app',
      App: appNames[front],
      Offsets: step === 1 ? `each byte of ${last}` : `1 in ${step} of ${last} bytes`,
      Resets: starting.cuts.length + sweep.cuts.length,
      Records: records,
      Lost: lost,
      Repeated: repeated,
      'Out of order': reordered,
    });
  }
  for (const front of fronts) {
    const { starting, sweep } = runs[front];
    const nothingLost = { records: written[front], lost: 0, repeated: 0, reordered: 0 };
    expect(delivered[front], front).toMatchObject(nothingLost);
    for (const { ended, cuts } of [starting, sweep]) {
      const all = { written: ended.written, acknowledged: ended.written, dropped: 0 };
      expect(ended.stats, front).toMatchObject(all);
      expect(ended, front).toMatchObject({ code: 0, errorEvents: 0 });
      expect(cuts.at(-1)?.afterBytes, front).toBeGreaterThan(leastConversation);
    }
    // To the end of a conversation, the handshakes of which are its beginning.
    const lastStep = sweep.conversationBytes - step - varyingBytes;
    expect(sweep.conversationBytes, front).toBeGreaterThan(leastConversation);
    expect(sweep.cuts.at(-1)?.afterBytes, front).toBeGreaterThan(lastStep);
  }
  return { pino: runs.pino.sweep.cuts, winston: runs.winston.sweep.cuts };
}

describe('With connections reset in the middle, nothing is lost, repeated or out of order', () => {
  const directions: readonly Direction[] = ['to server', 'to client'];

  it.for(directions)('in plain text, %s', async (direction, context) => {
    const cuts = await goThroughResets(context, inPlainText, direction);
    for (const front of fronts) {
      const places = cuts[front].flatMap((cut) => placeOf(cut) ?? []);
      const missed = missedOfProduce(places, inPlainText.step);
      expect(missed, front).toEqual([]);
    }
  });

  it.for(directions)('signed in over TLS, %s', async (direction, context) => {
    await goThroughResets(context, signedIn, direction);
  });
});
