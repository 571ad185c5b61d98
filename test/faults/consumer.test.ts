/** Ways in which kafkajs's consumer hangs for good, or for minutes: this package's makes a new one, and reads on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { ConsumerOptions } from '../../src/options.ts';
import { DiasporaLogger } from '../../src/produce/logger.ts';
import type { Listener } from '../../stack/server-properties.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { buildPackage } from '../integration/built-package.ts';
import { uniqueTopic } from '../shared-stack.ts';
import { type Reading, ReadingApp } from './driving/reading-app.ts';
import { TcpProxy } from './network/tcp-proxy.ts';
import { reportFigures } from './report/figures.ts';
import { inForm } from './report/form.ts';

/** In seconds: each connection must sign in again and again. */
const accessTokenTtl = 20;

/** The default of `requestTimeoutMs`: after so long without an answer, a connection is taken for dead. */
const requestTimeoutMs = 30_000;

/** Records of each partition that are read before a fault begins. */
const readBefore = 50n;

/** How long leaving the group, and joining it anew, may take on a busy machine, in milliseconds. */
const rejoinMs = 15_000;

describe.concurrent('The consumer reads on', () => {
  let stack: Stack;
  const proxies = new Map<Listener, TcpProxy>();
  beforeAll(async () => {
    await buildPackage();
    stack = await startStack({
      accessTokenTtl,
      advertise: async (listener, _broker, address) => {
        // What tests administer and write with meets no fault.
        if (listener === 'INTERNAL') return address;
        const proxy = await TcpProxy.start({ host: '127.0.0.1', port: address.port });
        proxies.set(listener, proxy);
        return { host: address.host, port: proxy.port };
      },
    });
  });
  afterAll(async () => {
    await stack?.stop();
    for (const proxy of proxies.values()) proxy.close();
  });

  function proxyOf(listener: Listener): TcpProxy {
    const proxy = proxies.get(listener);
    if (!proxy) throw new Error(`No proxy for ${listener}`);
    return proxy;
  }

  interface Trial {
    /** As the table of results calls it. */
    readonly fault: string;
    readonly listener: Listener;
    /** How it signs in. */
    readonly options: Omit<ConsumerOptions, 'groupId'>;
    readonly env?: Record<string, string>;
    readonly recordBytes?: number;
    readonly apply: (proxy: TcpProxy, reader: ReadingApp) => Promise<void>;
  }

  /** Writes all the while, and reads to the end. */
  async function read(context: TestContext, trial: Trial): Promise<Reading> {
    const { fault, listener, options, env, recordBytes = 100, apply } = trial;
    const topic = uniqueTopic('hang');
    await stack.createTopic(topic, { partitions: 3 });
    const given = { topic, groupId: topic, bootstrapBrokers: stack.bootstrap(listener) };
    const reader = await ReadingApp.start({ ...given, ...options }, { ...stack.env, ...env });
    try {
      const feed = new Feed(topic, recordBytes, stack.bootstrap('INTERNAL'));
      await reader.until(new Map([0, 1, 2].map((partition) => [partition, readBefore])));
      await apply(proxyOf(listener), reader);
      const written = await feed.end();
      await reader.until(await stack.endOffsets(topic));
      const reading = await reader.close();
      reportFigures(context, 'consumer-hangs', {
        Fault: fault,
        'Records read': reading.records,
        Skipped: reading.skipped,
        'Read again': reading.readAgain,
        'Read again though committed': reading.committedReadAgain,
        'Longest silence': `${(reading.longestSilenceMs / 1_000).toFixed(1)} s`,
      });
      expect(reading).toMatchObject({ skipped: 0, committedReadAgain: 0 });
      expect(reading.records - reading.readAgain).toBe(written);
      return reading;
    } finally {
      reader.kill();
    }
  }

  it('when its connections are dead for ever, and only new ones work', async (context) => {
    const { username, password } = stack.scramUser;
    const { longestSilenceMs } = await read(context, {
      fault: 'All connections dead for ever; new ones work',
      listener: 'SCRAM',
      options: { auth: { type: 'scram', mechanism: 'SCRAM-SHA-256', username, password } },
      apply: async (proxy, reader) => {
        proxy.silence();
        proxy.speak();
        expect(await reader.said('CONSUMER_RESTARTED')).toMatch(
          / stopped \(broker localhost:\d+ left a request unanswered for 30 s\)\. .* starts again by itself\.$/,
        );
      },
    });
    expect(longestSilenceMs).toBeLessThan(requestTimeoutMs + rejoinMs);
  });

  const [silentMs, silent] = inForm({ full: [60_000, '60 s'], short: [10_000, '10 s'] });
  it(`when nothing comes through for ${silent}, and then on new connections only`, async (context) => {
    const { certFile, keyFile, caFile } = { ...stack.clientCertificate, ...stack };
    const { longestSilenceMs } = await read(context, {
      fault: `Nothing comes through for ${silent}; then only new connections work`,
      listener: 'MTLS',
      options: { auth: { type: 'mtls' }, tls: { ca: caFile, cert: certFile, key: keyFile } },
      apply: async (proxy, reader) => {
        proxy.silence();
        await sleep(silentMs);
        proxy.speak();
        await reader.said('CONSUMER_RESTARTED');
      },
    });
    expect(longestSilenceMs).toBeLessThan(Math.max(silentMs, requestTimeoutMs) + rejoinMs);
  });

  const [lastMs, lasting] = inForm({ full: [180_000, '3 min'], short: [30_000, '30 s'] });
  /** More than are waited for: a connection for heartbeats alone carries no such number of bytes in all the time. */
  const places = Array.from({ length: 40 }, (_, i) => 5_003 + 2_741 * i);
  const cuts = 12;
  it('when replies are cut off, and tokens are short-lived', async (context) => {
    const { refreshToken } = await stack.globus.signIn();
    const { longestSilenceMs } = await read(context, {
      fault: `Tokens of ${accessTokenTtl} s for ${lasting}, and ${cuts} connections or more reset within a reply`,
      listener: 'OAUTH',
      options: {},
      env: { DIASPORA_REFRESH: refreshToken },
      recordBytes: 3_000,
      apply: async (proxy) => {
        const over = sleep(lastMs);
        proxy.resetNext('to client', places);
        proxy.resetAll();
        await expect
          .poll(() => proxy.cuts.length, { timeout: lastMs })
          .toBeGreaterThanOrEqual(cuts);
        await over;
      },
    });
    expect(longestSilenceMs).toBeLessThan(rejoinMs);
  });
});

/** Writes a hundred records a second, in turn to each of three partitions. */
class Feed {
  readonly #logger: DiasporaLogger;
  readonly #timer: NodeJS.Timeout;
  readonly #sent: Promise<unknown>[] = [];

  constructor(topic: string, recordBytes: number, bootstrapBrokers: string) {
    this.#logger = new DiasporaLogger({ bootstrapBrokers, auth: { type: 'none' }, tls: false });
    const value = Buffer.alloc(recordBytes, 'x');
    this.#timer = setInterval(() => {
      const partition = this.#sent.length % 3;
      this.#sent.push(this.#logger.send(topic, value, { partition }));
    }, 10);
  }

  /** Answers how many were stored. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    await Promise.all(this.#sent);
    await this.#logger.close();
    return this.#sent.length;
  }
}
