/** The consumer over a kafkajs that does as the test says; `test/integration/consumer.test.ts` has the real one. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners, once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ConsumedRecord, DiasporaConsumer } from '../../../src/consume/consumer.ts';
import type { ClientEvents } from '../../../src/consume/kafkajs-client.ts';
import { type DiagnosticEvent, diagnosticsChannelName } from '../../../src/diagnostics.ts';
import type { ConsumerOptions } from '../../../src/options.ts';
import { ScriptedGroup, topic } from './scripted-group.ts';

let group = new ScriptedGroup();
vi.mock('../../../src/consume/kafkajs-client.ts', () => ({
  createClient: (_options: unknown, _signIn: unknown, events?: ClientEvents) =>
    group.clientWith(events),
}));

const options: ConsumerOptions = {
  topic,
  groupId: 'readers',
  bootstrapBrokers: '127.0.0.1:1',
  auth: { type: 'none' },
  tls: false,
  diagnostics: 'silent',
  autoOffsetReset: 'earliest',
  autoCommitIntervalMs: 600_000,
  retry: { minMs: 1, maxMs: 2 },
};

interface Opened {
  readonly group: ScriptedGroup;
  readonly consumer: DiasporaConsumer;
  /** What the consumer has to say. */
  readonly said: string[];
}

function open(
  given: Partial<ConsumerOptions> = {},
  script: Partial<ScriptedGroup> = {},
  signal?: AbortSignal,
): Opened {
  group = Object.assign(new ScriptedGroup(), script);
  const said: string[] = [];
  const note = (event: unknown): void => {
    const { code, message } = event as DiagnosticEvent;
    said.push(`${code}: ${message}`);
  };
  subscribe(diagnosticsChannelName, note);
  onTestFinished(() => void unsubscribe(diagnosticsChannelName, note));
  const consumer = new DiasporaConsumer({ ...options, ...given }, signal ? { signal } : {});
  onTestFinished(() => consumer.close());
  return { group, consumer, said };
}

async function assigned(
  given: Partial<ConsumerOptions> = {},
  script: Partial<ScriptedGroup> = {},
): Promise<Opened> {
  const opened = open(given, script);
  await once(opened.consumer, 'assigned');
  return opened;
}

async function next(records: AsyncGenerator<ConsumedRecord>): Promise<ConsumedRecord> {
  const { value } = await records.next();
  return value;
}

describe('Headers', () => {
  it('without a value, or named as what every object has, stop nothing', async () => {
    const { group, consumer } = await assigned();
    // As kafkajs gathers them.
    const gathered = Object.fromEntries([
      ['empty', null],
      ['twice', [Buffer.from('1'), null]],
      ['constructor', [Object, Buffer.from('2')]],
      ['__proto__', [Object.prototype, Buffer.from('3')]],
      ['toString', [Object.prototype.toString, Buffer.from('4'), Buffer.from('5')]],
    ]);
    void group.fetched(0, [{ offset: 0, headers: gathered }]);
    const { headers } = await next(consumer.records());
    expect(headers.map(([name, value]) => [name, value && String(value)])).toEqual([
      ['empty', null],
      ['twice', '1'],
      ['twice', null],
      ['constructor', '2'],
      ['__proto__', '3'],
      ['toString', '4'],
      ['toString', '5'],
    ]);
  });
});

describe('A consumer whose place is deleted', () => {
  const kept = { low: '500', high: '600' };

  it("goes on at the end with 'latest', commits that at once, and says so", async () => {
    const { group, said } = await assigned(
      { autoOffsetReset: 'latest' },
      { ends: kept, committed: { 0: '100', 1: '550' } },
    );
    group.outOfRange(0);
    await expect.poll(() => group.commits).toEqual(['0:600']);
    expect(group.seeks).toEqual(['0:100', '1:550', '0:600']);
    expect(said.at(-1)).toBe(
      "OFFSET_OUT_OF_RANGE: Records of partition 0 of topic logs were deleted before group readers had read them: it was at offset 100, and the log begins at 500. It goes on at 600, as autoOffsetReset 'latest' says.",
    );
  });

  it("reads all that is left with 'earliest', and commits nothing by itself where that is off", async () => {
    const { group, consumer } = await assigned(
      { autoCommit: false },
      { ends: kept, committed: { 0: '100', 1: '550' } },
    );
    const passed = once(consumer, 'passed');
    group.outOfRange(0);
    expect(await passed).toMatchObject([{ partition: 0, offset: 500n }]);
    await consumer.close();
    expect(group.seeks).toEqual(['0:100', '1:550', '0:500']);
    expect(group.commits).toEqual([]);
  });

  it('stays where it is where the log holds that: what was refused was fetched before a seek', async () => {
    const { group, consumer, said } = await assigned(
      { autoOffsetReset: 'latest' },
      { ends: kept, committed: { 0: '100', 1: '550' } },
    );
    consumer.seek({ topic, partition: 0 }, 520n);
    group.outOfRange(0);
    await expect.poll(() => group.seeks.slice(2)).toEqual(['0:520', '0:520']);
    await consumer.close();
    expect(group.commits).toEqual(['0:520']);
    expect(said.filter((line) => line.startsWith('OFFSET_OUT_OF_RANGE'))).toEqual([]);
  });

  it('goes on where another member has gone on, where the group shares its partitions anew meanwhile', async () => {
    let answer = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { group, consumer } = await assigned(
      { autoOffsetReset: 'latest' },
      { ends: kept, committed: { 0: '100', 1: '550' }, onEnds: () => asked },
    );
    group.outOfRange(0);
    await setImmediate();
    group.committed = { 0: '590', 1: '550' };
    const again = once(consumer, 'assigned');
    group.rebalancing();
    group.assign(0, 1);
    await again;
    answer();
    await consumer.close();
    expect(group.seeks.slice(2)).toEqual(['0:590', '1:550']);
    expect(group.commits).toEqual([]);
  });
});

describe('A consumer that commits by itself', () => {
  it('commits where it begins, where nothing is committed', async () => {
    const { group, consumer } = await assigned(
      { autoOffsetReset: 'latest' },
      { ends: { low: '3', high: '9' }, committed: { 1: '5' } },
    );
    await consumer.close();
    expect(group.seeks).toEqual(['1:5', '0:9']);
    expect(group.commits).toEqual(['0:9']);
  });

  it('leaves an explicit commit as it is', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    await next(records);
    await consumer.commit(await next(records));
    await consumer.close();
    expect(group.commits).toEqual(['0:102']);
  });

  it('leaves an explicit commit as it is, also one that is under way', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    await next(records);
    const inHand = await next(records);
    const explicit = consumer.commit(inHand);
    await consumer.close();
    await explicit;
    expect(group.commits).toEqual(['0:102']);
  });

  it('commits nothing of a partition that it has lost with a record in hand', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    const batch = group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    const inHand = await next(records);
    const again = once(consumer, 'assigned');
    group.assign(1);
    await again;
    void records.next();
    expect(await batch).toEqual(['100']);
    await expect(consumer.commit(inHand)).rejects.toMatchObject({
      code: 'COMMIT_FAILED',
      message: expect.stringContaining(
        'partition 0 of topic logs is not assigned to this consumer',
      ),
    });
    await consumer.close();
    expect(group.commits).toEqual([]);
  });

  it('commits nothing of what was asked for ahead and is not done', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }, { offset: 102 }]);
    const deliveries = consumer.deliveries();
    const first = await deliveries.next();
    await deliveries.next();
    await deliveries.next();
    first.value?.done();
    await consumer.close();
    expect(group.commits).toEqual(['0:101']);
  });

  it('goes back to nothing that was done after the partition was lost, and came back further on', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const deliveries = consumer.deliveries();
    const before = await deliveries.next();
    let again = once(consumer, 'assigned');
    group.assign(1);
    await again;
    group.committed = { 0: '500', 1: '0' };
    again = once(consumer, 'assigned');
    group.assign(0, 1);
    await again;
    before.value?.done();
    const behind = deliveries.next();
    void group.fetched(0, [{ offset: 500 }]);
    (await behind).value?.done();
    await consumer.close();
    expect(group.commits).toEqual(['0:501']);
  });

  it('goes back to nothing that was done of a log that has begun anew in the meantime', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '1000', 1: '0' } });
    void group.fetched(0, [{ offset: 1000 }]);
    const deliveries = consumer.deliveries();
    const before = await deliveries.next();
    void group.fetched(0, [{ offset: 0 }]);
    const anew = await deliveries.next();
    before.value?.done();
    anew.value?.done();
    await consumer.close();
    expect(group.commits).toEqual(['0:1']);
  });

  it('commits before the group shares its partitions anew', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    await next(records);
    await next(records);
    group.rebalancing();
    await vi.waitFor(() => expect(group.commits).toEqual(['0:101']));
  });

  it('commits nothing of a partition that it sought while that was another member’s', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '0', 1: '0' } });
    let again = once(consumer, 'assigned');
    group.assign(0);
    await again;
    consumer.seek({ topic, partition: 1 }, 15n);
    await consumer.commit();
    expect(group.commits).toEqual(['0:0']);
    group.seeks.length = 0;
    again = once(consumer, 'assigned');
    group.assign(0, 1);
    await again;
    expect(group.seeks).toEqual(['0:0', '1:15']);
  });
});

describe('A commit', () => {
  it('that kafkajs leaves undone has failed', async () => {
    const { group, consumer } = await assigned();
    group.stopping = true;
    await expect(consumer.commit()).rejects.toMatchObject({
      code: 'COMMIT_FAILED',
      message: 'Offsets of group readers were not committed: the consumer was leaving the group.',
    });
  });

  it.each([true, false])(
    'beside deliveries is of what is done, where autoCommit is %s',
    async (autoCommit) => {
      const { group, consumer } = await assigned(
        { autoCommit },
        { committed: { 0: '100', 1: '0' } },
      );
      void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
      const deliveries = consumer.deliveries();
      const first = await deliveries.next();
      const second = await deliveries.next();
      first.value?.done();
      await consumer.commit();
      expect(group.commits).toEqual(['0:101', '1:0']);
      second.value?.done();
      await consumer.commit();
      await consumer.close();
      expect(group.commits).toEqual(['0:101', '1:0', '0:102', '1:0']);
    },
  );

  it('without a record is of all that was given, the record in hand included', async () => {
    const { group, consumer } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    await next(records);
    await next(records);
    await consumer.commit();
    expect(group.commits).toEqual(['0:102', '1:0']);
  });

  it('waits for the one before', async () => {
    const { group, consumer } = await assigned({ autoCommit: false });
    const release: (() => void)[] = [];
    group.onCommit = () => new Promise((resolve) => void release.push(resolve));
    const older = consumer.commit({ topic, partition: 0, offset: 1n });
    const newer = consumer.commit({ topic, partition: 0, offset: 2n });
    await vi.waitFor(() => expect(release).toHaveLength(1));
    release[0]?.();
    await older;
    await vi.waitFor(() => expect(release).toHaveLength(2));
    release[1]?.();
    await newer;
    expect(group.commits).toEqual(['0:2', '0:3']);
  });
});

describe('A seek', () => {
  it.each([-5n, 2n ** 63n, 'end', 5])('to %s throws, and changes nothing', async (target) => {
    const { group, consumer } = await assigned();
    group.seeks.length = 0;
    expect(() => consumer.seek({ topic, partition: 0 }, target as bigint)).toThrow(RangeError);
    await consumer.close();
    expect(group.seeks).toEqual([]);
  });

  it('while it is looked up where to go on stays, also at the next assignment', async () => {
    const release: (() => void)[] = [];
    const onLookUp = vi
      .fn(async () => undefined)
      .mockImplementationOnce(
        () => new Promise((resolve) => void release.push(() => resolve(undefined))),
      );
    const script = { committed: { 0: '100', 1: '100' }, onLookUp };
    const { group, consumer } = open({ autoCommit: false }, script);
    await vi.waitFor(() => expect(release).toHaveLength(1));
    consumer.seek({ topic, partition: 0 }, 5n);
    let placed = once(consumer, 'assigned');
    release[0]?.();
    await placed;
    expect(group.seeks).toEqual(['0:5', '1:100']);
    placed = once(consumer, 'assigned');
    group.assign(0, 1);
    await placed;
    expect(group.seeks.slice(2)).toEqual(['0:5', '1:100']);
  });

  it('to an end is one to the offset that is there', async () => {
    const { group, consumer } = await assigned({}, { ends: { low: '3', high: '9' } });
    group.seeks.length = 0;
    consumer.seek({ topic, partition: 0 }, 'latest');
    consumer.seek({ topic, partition: 1 }, 'earliest');
    // What was fetched before is not given any more.
    expect(await group.fetched(0, [{ offset: 4 }])).toEqual([]);
    await vi.waitFor(() => expect(group.seeks.sort()).toEqual(['0:9', '1:3']));
  });
});

describe('Seeks to ends', () => {
  function warnings(): Error[] {
    const heard: Error[] = [];
    const note = (warning: Error): void => void heard.push(warning);
    process.on('warning', note);
    onTestFinished(() => void process.off('warning', note));
    return heard;
  }

  it('in one turn are one look-up, with connections of its own', async () => {
    const { group, consumer } = await assigned({}, { ends: { low: '3', high: '9' } });
    group.seeks.length = 0;
    group.onLookUp = vi.fn(async () => undefined);
    const broken = group.disconnected;
    consumer.seek({ topic, partition: 0 }, 'latest');
    consumer.seek({ topic, partition: 1 }, 'latest');
    consumer.seek({ topic, partition: 0 }, 'earliest');
    await vi.waitFor(() => expect(group.seeks).toEqual(['1:9', '0:3']));
    expect(group.onLookUp).toHaveBeenCalledTimes(1);
    expect(group.disconnected).toBe(broken + 1);
  });

  it('make Node warn of no leak, also where the brokers are slow to answer many turns of them', async () => {
    const heard = warnings();
    const { group, consumer } = await assigned();
    group.onLookUp = () => new Promise(() => undefined);
    for (let turn = 0; turn < 12; turn += 1) {
      consumer.seek({ topic, partition: 0 }, 'earliest');
      await setImmediate();
    }
    expect(heard).toEqual([]);
  });
});

it('“Assigned” waits for the next sharing where the group begins that during the look-up', async () => {
  const release: (() => void)[] = [];
  const onLookUp = vi
    .fn(async () => undefined)
    .mockImplementationOnce(
      () => new Promise((resolve) => void release.push(() => resolve(undefined))),
    );
  const ends = { low: '0', high: '10' };
  const { group, consumer } = open({ autoOffsetReset: 'latest' }, { ends, onLookUp });
  const placed: string[][] = [];
  consumer.on('assigned', () => void placed.push([...group.seeks]));
  await vi.waitFor(() => expect(release).toHaveLength(1));
  group.rebalancing();
  release[0]?.();
  // What follows from it is done at once.
  await setImmediate();
  expect(placed).toEqual([]);
  const again = once(consumer, 'assigned');
  group.assign(0, 1);
  await again;
  expect(placed).toEqual([['0:10', '1:10']]);
});

it('A listener that throws is the app’s own uncaught exception, and reading goes on', async () => {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  onTestFinished(() => {
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  const uncaught = once(process, 'uncaughtException');
  const { group, consumer, said } = open();
  consumer.once('assigned', () => {
    throw new Error('of the app');
  });
  expect((await uncaught)[0]).toMatchObject({ message: 'of the app' });
  void group.fetched(0, [{ offset: 0 }]);
  expect((await next(consumer.records())).offset).toBe(0n);
  expect(said).toEqual(['CONNECTED: Joined group readers with 2 partitions.']);
});

/** As kafkajs tells of a broker's answer. */
function answer(type: string): Error {
  return Object.assign(new Error(type), { type });
}

describe('Where it cannot be found out where to go on', () => {
  it('the consumer asks again, stays in the group, and gives nothing before', async () => {
    let lookUps = 0;
    const { group, consumer, said } = open(
      {},
      {
        committed: { 0: '5', 1: '5' },
        onLookUp: async () => {
          lookUps += 1;
          if (lookUps > 4) return;
          expect(await group.fetched(0, [{ offset: 0 }])).toEqual([]);
          throw answer('GROUP_LOAD_IN_PROGRESS');
        },
      },
    );
    await once(consumer, 'assigned');
    expect(lookUps).toBe(5);
    expect(group.memberships).toBe(1);
    expect(group.seeks).toEqual(['0:5', '1:5']);
    expect(said).toEqual([
      'CONNECTED: Joined group readers with 2 partitions.',
      'BROKER_ERROR: The brokers do not tell where group readers goes on (GROUP_LOAD_IN_PROGRESS). Until it is known where group readers goes on, some of its partitions are not read; that is asked again by itself.',
    ]);
  });

  it('a missing right is told at once', async () => {
    const denied = answer('TOPIC_AUTHORIZATION_FAILED');
    const { group, consumer, said } = open({}, { onLookUp: vi.fn().mockRejectedValueOnce(denied) });
    await once(consumer, 'assigned');
    expect(group.memberships).toBe(1);
    expect(said[1]).toMatch(
      /^READ_DENIED: Topic logs does not exist, or this account may not read/,
    );
  });

  it('partitions that need no end of the log are read', async () => {
    const release: (() => void)[] = [];
    const onEnds = () => new Promise<void>((resolve) => void release.push(resolve));
    const { group, consumer } = open({}, { committed: { 1: '5' }, onEnds });
    await vi.waitFor(() => expect(group.seeks).toEqual(['1:5']));
    void group.fetched(1, [{ offset: 5 }]);
    expect((await next(consumer.records())).offset).toBe(5n);
    const placed = once(consumer, 'assigned');
    release[0]?.();
    await placed;
    expect(group.seeks).toEqual(['1:5', '0:0']);
  });

  it('a seek to an end is tried again, and the other partitions are read on', async () => {
    const { group, consumer } = await assigned({}, { ends: { low: '3', high: '9' } });
    group.seeks.length = 0;
    group.onEnds = vi.fn().mockRejectedValueOnce(answer('NOT_LEADER_FOR_PARTITION'));
    consumer.seek({ topic, partition: 0 }, 'latest');
    await vi.waitFor(() => expect(group.seeks).toEqual(['0:9']));
    expect(group.memberships).toBe(1);
  });

  it('it is not asked again for an assignment that is over', async () => {
    const fail: ((error: Error) => void)[] = [];
    const onLookUp = vi
      .fn(async () => undefined)
      .mockImplementationOnce(() => new Promise((_, reject) => void fail.push(reject)));
    const { group, consumer, said } = open({}, { committed: { 0: '5', 1: '5' }, onLookUp });
    await vi.waitFor(() => expect(fail).toHaveLength(1));
    const placed = once(consumer, 'assigned');
    group.assign(0, 1);
    await placed;
    fail[0]?.(answer('TOPIC_AUTHORIZATION_FAILED'));
    // What follows from it is done at once.
    await setImmediate();
    expect(onLookUp).toHaveBeenCalledTimes(2);
    expect(group.memberships).toBe(1);
    expect(said.filter((one) => !one.startsWith('CONNECTED'))).toEqual([]);
  });

  it('closing ends the asking', async () => {
    const onLookUp = vi.fn().mockRejectedValue(answer('GROUP_LOAD_IN_PROGRESS'));
    const { consumer } = open({ retry: { minMs: 60_000, maxMs: 60_000 } }, { onLookUp });
    await vi.waitFor(() => expect(onLookUp).toHaveBeenCalledTimes(1));
    await consumer.close();
    expect(onLookUp).toHaveBeenCalledTimes(1);
  });
});

it('A crash while joining is told by its own reason', async () => {
  const refusal = Object.assign(new Error('refused'), { type: 'GROUP_AUTHORIZATION_FAILED' });
  const { said } = open({}, { refusal });
  await vi.waitFor(() =>
    expect(said[0]).toMatch(/^READ_DENIED: This account may not use consumer/),
  );
});

describe('Closing', () => {
  it('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    const { consumer } = open({}, {}, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await consumer.close();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('takes 8 s at most, and says what was not committed', async () => {
    const { group, consumer, said } = await assigned({}, { committed: { 0: '100', 1: '0' } });
    void group.fetched(0, [{ offset: 100 }, { offset: 101 }]);
    const records = consumer.records();
    await next(records);
    await next(records);
    group.onCommit = () => new Promise(() => undefined);
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const closed = consumer.close();
    await vi.advanceTimersByTimeAsync(8_000);
    await closed;
    // The look-up's connections, and the membership's.
    expect(group.disconnected).toBe(2);
    expect(said.at(-1)).toBe(
      'COMMIT_FAILED: Offsets of group readers were not committed: the brokers did not answer within 8 s of closing (logs/0 at 101). A restart reads records again from where the last commit was.',
    );
  });
});
