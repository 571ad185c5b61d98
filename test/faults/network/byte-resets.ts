/** An app whose connections are reset after the first byte, after the second, and so on. */
import type { TransportOptions } from '../../../src/options.ts';
import { type EndedApp, type Front, LoggingApp } from '../driving/logging-app.ts';
import type { Cut, Direction } from './proxied-connection.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** Attempts follow each other at once: it is not their pauses that are under test. */
const quickRetry = { minMs: 1, maxMs: 20 };

/** No conversation under test is longer. */
const mostOffsets = 10_000;

/** A conversation may have a request more, such as for another look at the topic. */
const timesMeasured = 3;

export interface ByteResetsOptions {
  readonly front: Front;
  /** The one way to the broker. Nobody else uses it meanwhile. */
  readonly proxy: TcpProxy;
  readonly direction: Direction;
  /** From one offset to the next. */
  readonly step: number;
  readonly options: TransportOptions;
  readonly env: Readonly<Record<string, string>>;
}

export interface ByteResets {
  readonly ended: EndedApp;
  /** One for each connection that was reset. */
  readonly cuts: readonly Cut[];
}

export interface Sweep extends ByteResets {
  /** Of a conversation that is not cut, in the direction in which the others are: the shortest of some. */
  readonly conversationBytes: number;
}

/**
 * Each connection that the app makes is cut a step later than the one before, until its first record is through: so it is with
 * the requests that only a start has.
 */
export async function resetWhileStarting(run: ByteResetsOptions): Promise<ByteResets> {
  const { proxy, direction, step } = run;
  proxy.cuts.splice(0);
  proxy.resetNext(direction, offsetsBy(step));
  return withApp(run, async (app) => {
    await app.burst({ count: 1 });
    for (;;) {
      // Ends unsettled after some seconds.
      const { stats } = await app.flush();
      if (stats && stats.buffered + stats.inFlight === 0) return;
    }
  });
}

/**
 * Each offset has a connection and a record of its own, which the next connection delivers: to the end of a conversation,
 * which is from connecting to a record's acknowledgement. How long that is was measured before.
 */
export async function resetAtEachOffset(run: ByteResetsOptions): Promise<Sweep> {
  const { proxy, direction, step } = run;
  let conversationBytes = mostOffsets;
  proxy.cuts.splice(0);
  const resets = await withApp(run, async (app) => {
    const deliverOne = async (): Promise<void> => {
      await app.burst({ count: 1 });
      await app.flush();
    };
    await deliverOne();
    for (let time = 0; time < timesMeasured; time += 1) {
      proxy.resetAll();
      await deliverOne();
      conversationBytes = Math.min(conversationBytes, proxy.latestBytes(direction));
    }
    for (const offset of offsetsBy(step)) {
      const cutsBefore = proxy.cuts.length;
      proxy.resetAll();
      proxy.resetNext(direction, [offset]);
      await deliverOne();
      if (proxy.cuts.length === cutsBefore && offset > conversationBytes) return;
    }
  });
  return { ...resets, conversationBytes };
}

async function withApp(
  { front, proxy, direction, options, env }: ByteResetsOptions,
  work: (app: LoggingApp) => Promise<void>,
): Promise<ByteResets> {
  const app = await LoggingApp.start(front, { ...options, lingerMs: 0, retry: quickRetry }, env);
  try {
    await work(app);
    proxy.resetNext(direction, []);
    return { ended: await app.end(), cuts: [...proxy.cuts] };
  } finally {
    app.kill();
  }
}

function offsetsBy(step: number): number[] {
  return Array.from({ length: mostOffsets / step }, (_, i) => (i + 1) * step);
}
