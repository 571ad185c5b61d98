/** A consumer over a kafkajs that hangs; `test/faults/consumer.test.ts` has the real one. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import type { ClientEvents } from '../../../src/consume/kafkajs-client.ts';
import { type DiagnosticEvent, diagnosticsChannelName } from '../../../src/diagnostics.ts';
import { AuthenticationError } from '../../../src/errors.ts';
import { ScriptedGroup, topic } from './scripted-group.ts';

let group = new ScriptedGroup();
let events: ClientEvents = {};
vi.mock('../../../src/consume/kafkajs-client.ts', () => ({
  createClient: (_options: unknown, _tokens: unknown, given: ClientEvents = {}) => {
    // Those of a look-up tell nothing.
    if (given.onTokenFailed) events = given;
    return group.client;
  },
}));

const requestTimeoutMs = 30_000;
const retry = { minMs: 1, maxMs: 10_000 };
/** Longer than joining may take, and a wait between attempts. */
const silenceMs = 80_000;
const leaveMs = 3_000;

const never = (): Promise<never> => new Promise(() => undefined);

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

/** Has its places, and three records fetched of which the first is in hand. */
async function reading(): Promise<{
  readonly consumer: DiasporaConsumer;
  readonly next: () => Promise<bigint>;
  readonly batch: Promise<string[]>;
  readonly said: string[];
}> {
  group = new ScriptedGroup();
  group.committed = { 0: '5', 1: '5' };
  const said: string[] = [];
  const note = (event: unknown): void => {
    const { code, message } = event as DiagnosticEvent;
    if (code !== 'CONNECTED') said.push(`${code}: ${message}`);
  };
  subscribe(diagnosticsChannelName, note);
  onTestFinished(() => void unsubscribe(diagnosticsChannelName, note));
  const consumer = new DiasporaConsumer({
    topic,
    groupId: 'readers',
    bootstrapBrokers: '127.0.0.1:1',
    auth: { type: 'none' },
    tls: false,
    diagnostics: 'silent',
    autoCommit: false,
    requestTimeoutMs,
    retry,
  });
  onTestFinished(async () => {
    vi.useRealTimers();
    await consumer.close();
  });
  await once(consumer, 'assigned');
  const records = consumer.records();
  const next = async (): Promise<bigint> => {
    const { value } = await records.next();
    return value ? value.offset : expect.unreachable('the iteration has ended');
  };
  const batch = group.fetched(0, [{ offset: 5 }, { offset: 6 }, { offset: 7 }]);
  expect(await next()).toBe(5n);
  return { consumer, next, batch, said };
}

describe('A request without an answer', () => {
  it('ends the membership; the next one goes on behind the record in hand', async () => {
    const { consumer, next, batch, said } = await reading();
    const again = once(consumer, 'assigned');
    group.seeks.length = 0;
    group.requestTimedOut(Date.now() - requestTimeoutMs);
    await vi.advanceTimersByTimeAsync(2 * retry.minMs);
    await again;
    expect(group.memberships).toBe(2);
    expect(said).toEqual([
      'CONSUMER_RESTARTED: The consumer of group readers stopped (broker broker:9092 left a request unanswered for 30 s). The consumer of group readers starts again by itself.',
    ]);
    expect(await batch).toEqual(['5']);
    expect(group.seeks).toEqual(['0:6', '1:5']);
    void group.fetched(0, [{ offset: 6 }]);
    expect(await next()).toBe(6n);
  });

  it('ends nothing where the event loop was blocked: its answer may lie unread', async () => {
    const { said } = await reading();
    group.requestTimedOut(Date.now() - requestTimeoutMs - 5_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.memberships).toBe(1);
    expect(said).toEqual([]);
  });

  it('ends nothing where it is JoinGroup: members may take longer to join', async () => {
    const { said } = await reading();
    group.requestTimedOut(Date.now() - requestTimeoutMs, 'JoinGroup');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(group.memberships).toBe(1);
    expect(said).toEqual([]);
  });

  it('ends a membership that cannot leave after 3 s, and breaks its connections', async () => {
    const { consumer } = await reading();
    group.onLeave = vi.fn().mockImplementationOnce(never);
    const broken = group.disconnected;
    const again = once(consumer, 'assigned');
    group.requestTimedOut(Date.now() - requestTimeoutMs);
    await vi.advanceTimersByTimeAsync(leaveMs - 1);
    expect(group.disconnected).toBe(broken);
    expect(group.memberships).toBe(1);
    await vi.advanceTimersByTimeAsync(1 + 2 * retry.minMs);
    await again;
    // The look-up of the second membership has connections of its own.
    expect(group.disconnected).toBe(broken + 2);
  });
});

describe('A membership that hung', () => {
  it('holds up no commit', async () => {
    const { consumer } = await reading();
    group.onCommit = never;
    const hung = consumer.commit();
    const failed = expect(hung).rejects.toMatchObject({
      code: 'COMMIT_FAILED',
      message: expect.stringContaining('left a request unanswered for 30 s'),
    });
    const again = once(consumer, 'assigned');
    group.requestTimedOut(Date.now() - requestTimeoutMs);
    await vi.advanceTimersByTimeAsync(2 * retry.minMs);
    await again;
    await failed;
    group.onCommit = async () => undefined;
    await consumer.commit();
    expect(group.commits).toEqual(['0:6', '1:5']);
  });

  it('gives nothing when it goes on after all', async () => {
    const { consumer, next, batch } = await reading();
    let goOn = (): void => undefined;
    const beat = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    group.onHeartbeat = () => beat;
    // So long after the last heartbeat, the next record waits for one.
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await next()).toBe(6n);
    const again = once(consumer, 'assigned');
    group.requestTimedOut(Date.now() - requestTimeoutMs);
    await vi.advanceTimersByTimeAsync(2 * retry.minMs);
    await again;
    goOn();
    expect(await batch).toEqual(['5', '6']);
    const third = next();
    void group.fetched(0, [{ offset: 7 }]);
    expect(await third).toBe(7n);
  });
});

describe('A member that could not join again', () => {
  it('begins a new membership as soon as kafkajs fetches on with the partitions that it had', async () => {
    const { consumer, said } = await reading();
    group.rebalancing();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(group.memberships).toBe(1);
    const again = once(consumer, 'assigned');
    group.seeks.length = 0;
    group.fetching();
    await vi.advanceTimersByTimeAsync(2 * retry.minMs);
    await again;
    expect(group.memberships).toBe(2);
    expect(group.seeks).toEqual(['0:6', '1:5']);
    // It passes by itself.
    expect(said).toEqual([]);
  });

  it('is none where it has its partitions before it fetches', async () => {
    const { consumer } = await reading();
    group.rebalancing();
    const again = once(consumer, 'assigned');
    group.assign(0, 1);
    await again;
    group.fetching();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(group.memberships).toBe(1);
  });
});

describe('Silence', () => {
  it('ends the membership', async () => {
    const { consumer, next, batch, said } = await reading();
    // The app has taken all, and kafkajs does nothing more.
    await next();
    await next();
    await batch;
    const again = once(consumer, 'assigned');
    await vi.advanceTimersByTimeAsync(silenceMs - 1_000);
    expect(group.memberships).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    await again;
    expect(said).toEqual([
      'CONSUMER_RESTARTED: The consumer of group readers stopped (it showed no sign of life for 80 s). The consumer of group readers starts again by itself.',
    ]);
  });

  it('is none while a slow app has a record in hand', async () => {
    const { said } = await reading();
    await vi.advanceTimersByTimeAsync(10 * silenceMs);
    expect(group.memberships).toBe(1);
    expect(said).toEqual([]);
  });

  it('is none while connections are tried', async () => {
    const { next, batch } = await reading();
    await next();
    await next();
    await batch;
    for (let passed = 0; passed < 10 * silenceMs; passed += silenceMs / 2) {
      await vi.advanceTimersByTimeAsync(silenceMs / 2);
      events.onConnecting?.();
    }
    expect(group.memberships).toBe(1);
  });

  it('is none while anything is answered', async () => {
    const { next, batch } = await reading();
    await next();
    await next();
    await batch;
    for (let passed = 0; passed < 10 * silenceMs; passed += silenceMs / 2) {
      await vi.advanceTimersByTimeAsync(silenceMs / 2);
      group.answered();
    }
    expect(group.memberships).toBe(1);
  });
});

it('A look-up that hangs is given up with its connections, and made again', async () => {
  const { consumer } = await reading();
  group.onLookUp = vi.fn().mockImplementationOnce(never);
  const broken = group.disconnected;
  const again = once(consumer, 'assigned');
  group.assign(0, 1);
  for (let passed = 0; passed < 2 * requestTimeoutMs; passed += 1_000) {
    group.answered();
    await vi.advanceTimersByTimeAsync(1_000);
  }
  await vi.advanceTimersByTimeAsync(2 * retry.minMs);
  await again;
  expect(group.disconnected).toBe(broken + 2);
  expect(group.memberships).toBe(1);
});

it('A token that cannot be had ends the membership at once; only the source of tokens says so', async () => {
  const { consumer, said } = await reading();
  const again = once(consumer, 'assigned');
  events.onTokenFailed?.(new AuthenticationError('TOKEN_ENDPOINT_UNAVAILABLE', 'no token', true));
  await vi.advanceTimersByTimeAsync(2 * retry.minMs);
  await again;
  expect(group.memberships).toBe(2);
  expect(said).toEqual([]);
});
