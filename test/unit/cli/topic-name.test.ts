import { describe, expect, it } from 'vitest';
import { requiredTopic, type TopicSources, topicOf } from '../../../src/cli/topic-name.ts';
import { ConfigurationError } from '../../../src/errors.ts';

const sources = (given: Partial<TopicSources>): TopicSources => ({
  argument: undefined,
  flags: {},
  routing: {},
  env: {},
  ...given,
});

/** What is said of it. */
function refusal(argument: string): string {
  try {
    topicOf(sources({ argument }));
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return expect.unreachable('it is taken');
}

describe('the topic of a command', () => {
  it('is its argument, the flag, that of the file, and that of the environment, in this order', () => {
    const all = {
      argument: 'argument',
      flags: { topic: 'flag' },
      routing: { topic: 'file' },
      env: { DIASPORA_TOPIC: ' environment ' },
    };
    expect(topicOf(all)).toBe('argument');
    expect(topicOf({ ...all, argument: undefined })).toBe('flag');
    expect(topicOf({ ...all, argument: undefined, flags: {} })).toBe('file');
    expect(topicOf(sources({ env: all.env }))).toBe('environment');
  });

  it('is missed where none is named', () => {
    expect(topicOf(sources({ env: { DIASPORA_TOPIC: ' ' } }))).toBeNull();
    expect(() => requiredTopic(sources({}), 'audit')).toThrow('"diaspora-logger audit my-topic"');
  });

  it.each([
    ['a Globus token', 'AgX0kz8Vb7sJd93kQ1mNbv5tYhG2wErTyUiOp4aSdFqW6eRt'],
    ['a token with dashes', 'AgX0kz8Vb7-sJd93_kQ1mNbv5tYhG2wErTyUiOp4aSdF'],
    ['an AWS key', 'wJalrXU7nFEMI/K7MD5NG/bPx2RfiCYEX3MPLEKE'],
    ['an AWS key of few digits', 'wJalrXU7nFEMIqKzMDwENGQbPxRfiC9EXcMPLEKE'],
    ['a JSON Web Token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln'],
  ])('is not repeated where it looks like %s', (_what, secret) => {
    expect(refusal(secret)).toMatch(/looks like a token, and is not shown/);
    expect(refusal(` Bearer ${secret}`)).not.toContain(secret);
  });

  it('is repeated where it cannot be one', () => {
    expect(refusal('my logs')).toContain('"my logs" cannot be a topic');
  });

  it.each([
    'ns-0123456789ab.sensor-log',
    'Prod-Web-Logs-of-the-Second-Building-2024-Q1-v2',
    'Logs-123e4567-e89b-12d3-a456-426614174000',
    `sensors_${'0123456789abcdef'.repeat(4)}`,
  ])('may be long: %s', (topic) => {
    expect(topicOf(sources({ argument: topic }))).toBe(topic);
  });
});
