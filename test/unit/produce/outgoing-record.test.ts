import { describe, expect, it } from 'vitest';
import { DeliveryError } from '../../../src/errors.ts';
import { outgoingRecord, type SendOptions } from '../../../src/produce/outgoing-record.ts';

const now = 1_700_000_000_000;
const day = 86_400_000;

function refusalOf(topic: string, value: unknown, options: SendOptions = {}): DeliveryError {
  try {
    outgoingRecord(topic, value, options, now);
  } catch (error) {
    if (error instanceof DeliveryError) return error;
    throw error;
  }
  throw new Error('It was taken.');
}

describe('a record to send', () => {
  it('has strings and bytes as they are, null as null, and all else as JSON', () => {
    const bytes = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
    const sentFor = (value: unknown) => outgoingRecord('logs', value, {}, now).value;
    expect([sentFor('text'), sentFor(bytes), sentFor(null), sentFor({ a: 1 })]).toEqual([
      'text',
      Buffer.from([1, 2]),
      null,
      '{"a":1}',
    ]);
  });

  it('has the time of now, or any from 1970 to tomorrow', () => {
    expect(outgoingRecord('logs', 'x', {}, now).timestamp).toBe(now);
    for (const timestamp of [0, now + day]) {
      expect(outgoingRecord('logs', 'x', { timestamp }, now).timestamp).toBe(timestamp);
    }
  });

  it.each([-1, 1.5, Number.NaN, now + day + 1, now * 1_000, 9e15])(
    'is refused with a time that is none: %d',
    (timestamp) => {
      const { code, possiblyDelivered, message } = refusalOf('logs', 'x', { timestamp });
      expect([code, possiblyDelivered]).toEqual(['RECORD_INVALID', false]);
      expect(message).toContain('whole milliseconds since the epoch, at most a day ahead of now');
      expect(message).toContain(`is ${timestamp}.`);
    },
  );

  it('is refused where Kafka can have no such record', () => {
    expect(refusalOf('a topic', 'x').message).toBe('Kafka can have no topic named "a topic".');
    for (const partition of [-1, 0.5, 2 ** 31]) {
      expect(refusalOf('logs', 'x', { partition }).message).toMatch(/^partition must be/);
    }
    expect(refusalOf('logs', undefined).message).toMatch(/^A value of type undefined/);
    expect(refusalOf('logs', 1n).message).toMatch(/^The value cannot be written as JSON/);
  });

  it.each([
    [['logs', 'x', null], 'The options must be an object, and are null.'],
    [['logs', 'x', 5], 'The options must be an object, and are 5.'],
    [['logs', 'x', { headers: null }], 'headers must be an object of strings or bytes by name'],
    [
      ['logs', 'x', { headers: new Map() }],
      'headers must be an object of strings or bytes by name',
    ],
    [['logs', 'x', { headers: [['a', 'b']] }], 'and are of type array.'],
    [['logs', 'x', { headers: { a: undefined } }], 'Keys and headers must be strings or bytes.'],
    [['logs', 'x', { key: 5 }], 'Keys and headers must be strings or bytes.'],
    [['logs', 'x', { timestamp: Symbol('now') }], 'and is of type symbol.'],
    [['logs', 'x', { timestamp: Object.create(null) }], 'and is of type object.'],
    [[5n, 'x', {}], 'topic must be a string, and is of type bigint.'],
    [[Symbol('logs'), 'x', {}], 'topic must be a string, and is of type symbol.'],
  ])('is refused with a word on what is wrong where no type checks it: %o', (given, message) => {
    const refused = (): unknown => Reflect.apply(outgoingRecord, undefined, given);
    expect(refused).toThrow(DeliveryError);
    expect(refused).toThrow(message);
  });
});
