import { describe, expect, it } from 'vitest';
import { blockUntilReady, type ReadyOptions } from '../../../src/ready/block-until-ready.ts';
import { serviceOptions } from '../../../src/ready/service-options.ts';

const plain = {
  bootstrapBrokers: 'localhost:1',
  auth: { type: 'none' },
  tls: false,
} satisfies ReadyOptions;

describe('blockUntilReady refuses, before anything is asked of anybody,', () => {
  it.each([0, -1, 1_441, Number.NaN, Number.POSITIVE_INFINITY])(
    'a time limit of %s minutes',
    async (maxMinutes) => {
      const waiting = blockUntilReady({ ...plain, topic: 'any', maxMinutes });
      await expect(waiting).rejects.toMatchObject({ code: 'CONFIGURATION', option: 'maxMinutes' });
    },
  );

  it('no topic, where it is not the service that has one', async () => {
    const waiting = blockUntilReady(plain);
    await expect(waiting).rejects.toMatchObject({ code: 'CONFIGURATION', option: 'topic' });
  });

  it('a topic that is none', async () => {
    const waiting = blockUntilReady({ ...plain, topic: 'two words' });
    await expect(waiting).rejects.toMatchObject({ option: 'topic' });
  });

  it('options of a connection that are wrong', async () => {
    const waiting = blockUntilReady({ ...plain, topic: 'any', bootstrapBrokers: 'nowhere' });
    await expect(waiting).rejects.toMatchObject({ option: 'bootstrapBrokers' });
  });

  it('a signal that is aborted already', async () => {
    const signal = AbortSignal.abort('never mind');
    await expect(blockUntilReady({ ...plain, topic: 'any', signal })).rejects.toBe('never mind');
  });
});

describe('The service client is asked', () => {
  it('as whoever the options name', () => {
    const auth = { type: 'diaspora', apiVersion: 'v1', subject: 'a-subject' } as const;
    expect(serviceOptions({ auth, requestTimeoutMs: 7_000 })).toEqual({
      apiVersion: 'v1',
      subject: 'a-subject',
      requestTimeoutMs: 7_000,
    });
  });

  it('with nothing of another way to sign in', () => {
    const auth = { type: 'scram', username: 'station', password: 'secret' } as const;
    expect(serviceOptions({ auth })).toEqual({});
  });
});
