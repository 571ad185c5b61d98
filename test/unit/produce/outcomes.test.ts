import { describe, expect, it } from 'vitest';
import { AuthenticationError, BrokerError, ConnectionError } from '../../../src/errors.ts';
import {
  outcomeOfError,
  outcomeOfAnswer as read,
  type Target,
} from '../../../src/produce/outcomes.ts';
import type { ProducePartitionReply } from '../../../src/wire/requests/produce.ts';

const target = { topic: 'logs', principal: 'ada' };
/** One more than Kafka 4.3 knows: what it does not know yet must be handled too. */
const codes = Array.from({ length: 136 }, (_, index) => index - 1);

const answer = (errorCode: number, baseOffset = -1n) => ({
  partition: 2,
  errorCode,
  errorMessage: null,
  baseOffset,
  logAppendTime: -1n,
  recordErrors: [],
});
const outcomeOfAnswer = (given: ProducePartitionReply, on: Target = target) =>
  read(given, on, 5_000);
const kindOf = (errorCode: number, baseOffset?: bigint) =>
  outcomeOfAnswer(answer(errorCode, baseOffset)).kind;

/** Everything that is not merely tried again. A change here changes what happens to people's records. */
const expected: Readonly<Record<string, readonly number[]>> = {
  acknowledged: [0, 46],
  tooLarge: [10, 18],
  refused: [17, 29, 31],
  authentication: [58],
  sequenceLost: [45, 59],
  fenced: [47, 90],
  invalid: [87],
  clock: [32],
  unknown: [-1, 7, 20],
};

describe('what an error code means', () => {
  it.each(Object.entries(expected))('%s: %j', (kind, list) => {
    expect(codes.filter((code) => kindOf(code) === kind)).toEqual(list);
  });

  it('retriable: all others, known to Kafka or not', () => {
    const others = codes.filter((code) => !Object.values(expected).flat().includes(code));
    expect(new Set(others.map((code) => kindOf(code)))).toEqual(new Set(['retriable']));
    expect(kindOf(32_000)).toBe('retriable');
  });

  it('unknown: each that comes with an offset, for the leader had appended the batch', () => {
    for (const code of [3, 6, 7, 20, 56, -1]) expect(kindOf(code, 17n)).toBe('unknown');
  });

  it('a topic that is gone: told alike, whether the broker knows it by its name or its id', () => {
    for (const code of [3, 100]) {
      expect(outcomeOfAnswer(answer(code))).toMatchObject({
        code: 'TOPIC_UNKNOWN',
        message: expect.stringContaining('Partition 2 of topic logs does not exist'),
      });
    }
  });

  it('stale leaders: those that another broker would answer better', () => {
    const stale = codes.filter((code) => {
      const outcome = outcomeOfAnswer(answer(code), target);
      return outcome.kind !== 'acknowledged' && outcome.staleTopology === true;
    });
    expect(stale).toEqual(expect.arrayContaining([3, 5, 6, 56, 74, 100, 103]));
    expect(stale).not.toContain(19);
  });

  it('each failure has a code for programs and the name of the error for people', () => {
    for (const errorCode of codes) {
      const outcome = outcomeOfAnswer(answer(errorCode), target);
      if (outcome.kind === 'acknowledged') continue;
      expect(outcome.code).not.toBeNull();
      expect(outcome.message).toContain('logs');
      expect(outcome.message).toMatch(/\([A-Z_]+ -?\d+/);
    }
  });
});

describe('an acknowledgement', () => {
  it('tells the offset, and the time only where the broker set it', () => {
    expect(outcomeOfAnswer(answer(0, 12n), target)).toEqual({
      kind: 'acknowledged',
      baseOffset: 12n,
      logAppendTime: null,
    });
    expect(outcomeOfAnswer({ ...answer(0, 12n), logAppendTime: 99n }, target)).toMatchObject({
      logAppendTime: 99,
    });
  });

  it('of a repeat whose offset the broker has forgotten tells none', () => {
    expect(outcomeOfAnswer(answer(46), target)).toMatchObject({
      kind: 'acknowledged',
      baseOffset: null,
    });
  });

  it("of a repeat tells the latest time of the batch's own records, which is no time of the broker's", () => {
    expect(outcomeOfAnswer({ ...answer(0, 12n), logAppendTime: 5_000n }, target)).toMatchObject({
      logAppendTime: null,
    });
  });
});

describe('a message', () => {
  it('says who may not write where, and what to do', () => {
    expect(outcomeOfAnswer(answer(29), target)).toMatchObject({
      code: 'TOPIC_WRITE_DENIED',
      message: expect.stringContaining(
        'Not allowed to write to topic logs as ada: claim it, or ask its owner',
      ),
    });
    expect(outcomeOfAnswer(answer(29), { ...target, principal: null })).toMatchObject({
      message: expect.stringContaining('Not allowed to write to topic logs: claim it'),
    });
  });

  it("has the broker's own words, and which record it refused", () => {
    const outcome = outcomeOfAnswer(
      {
        ...answer(87),
        errorMessage: 'One or more records have been rejected',
        recordErrors: [{ index: 4, message: 'a compacted topic takes no record without a key' }],
      },
      target,
    );
    expect(outcome).toMatchObject({
      recordIndexes: [4],
      message: expect.stringMatching(/INVALID_RECORD 87: record 4: a compacted topic/),
    });
  });
});

describe('the records at fault', () => {
  it.each([32, 87])('are named where the broker names them: error %i', (errorCode) => {
    const recordErrors = [
      { index: 3, message: null },
      { index: 0, message: null },
    ];
    expect(outcomeOfAnswer({ ...answer(errorCode), recordErrors })).toMatchObject({
      recordIndexes: [3, 0],
    });
    expect(outcomeOfAnswer(answer(errorCode))).not.toHaveProperty('recordIndexes');
  });
});

describe('a request that failed as a whole', () => {
  const kind = (error: unknown) => outcomeOfError(error, target).kind;

  it('is retriable where it was certainly not sent, and unknown where it may have been', () => {
    expect(kind(new ConnectionError('BROKER_UNREACHABLE', 'refused', false))).toBe('retriable');
    expect(kind(new ConnectionError('REQUEST_TIMED_OUT', 'no answer', true))).toBe('unknown');
    expect(kind(new RangeError('an answer that nobody understands'))).toBe('unknown');
    expect(kind('not even an error')).toBe('unknown');
  });

  it('asks for the leaders anew when a broker cannot be reached', () => {
    const lost = new ConnectionError('CONNECTION_LOST', 'reset', true);
    expect(outcomeOfError(lost, target)).toMatchObject({ staleTopology: true, cause: lost });
  });

  it('is about authentication where sign-in failed', () => {
    expect(kind(new AuthenticationError('TOKEN_REFUSED_BY_BROKER', 'refused', true))).toBe(
      'authentication',
    );
  });

  it('means what its error code means', () => {
    expect(kind(new BrokerError('TOPIC_AUTHORIZATION_FAILED', 29, 'no', false))).toBe('refused');
    expect(kind(new BrokerError('UNSUPPORTED_VERSION', 35, 'too old', false))).toBe('retriable');
  });
});
