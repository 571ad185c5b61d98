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
    expect(refusalOf('logs', 'x', { partition: -1 }).message).toMatch(/^partition must be/);
    expect(refusalOf('logs', undefined).message).toMatch(/^A value of type undefined/);
    expect(refusalOf('logs', 1n).message).toMatch(/^The value cannot be written as JSON/);
  });
});
