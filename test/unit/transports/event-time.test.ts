import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventTime } from '../../../src/transports/event-time.ts';

const arrival = Date.UTC(2026, 10, 21, 12);
const minute = 60_000;

describe('eventTime', () => {
  it('reads seconds, milliseconds, microseconds and nanoseconds, told apart by their size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800_000, max: arrival }), (time) => {
        expect(eventTime(time, arrival)).toBe(time);
        expect(eventTime(Math.floor(time / 1_000), arrival)).toBe(
          Math.max(946_684_800_000, Math.floor(time / 1_000) * 1_000),
        );
        expect(eventTime(time * 1_000, arrival)).toBe(time);
        expect(Math.abs(eventTime(BigInt(time) * 1_000_000n, arrival) - time)).toBeLessThanOrEqual(
          1,
        );
      }),
    );
  });

  it('reads fractions of a second', () => {
    expect(eventTime(1_700_000_000.123, arrival)).toBe(1_700_000_000_123);
  });

  it('reads ISO 8601, to the nanosecond and with any offset, and numbers in strings', () => {
    expect(eventTime('2024-05-06T07:08:09.123Z', arrival)).toBe(Date.UTC(2024, 4, 6, 7, 8, 9, 123));
    expect(eventTime('2024-05-06T07:08:09.123456789Z', arrival)).toBe(
      Date.UTC(2024, 4, 6, 7, 8, 9, 123),
    );
    expect(eventTime('2024-05-06T09:08:09+02:00', arrival)).toBe(Date.UTC(2024, 4, 6, 7, 8, 9));
    expect(eventTime('1700000000000', arrival)).toBe(1_700_000_000_000);
    expect(eventTime(new Date(1_700_000_000_000), arrival)).toBe(1_700_000_000_000);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['not a time', 'yesterday'],
    ['not a date', '2024-13-45T99:99:99Z'],
    ['an object', {}],
    ['not a number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['a negative number', -5],
    ['the time of a clock that was never set', 0],
    ['1999', '1999-12-31T23:59:59.999Z'],
    ['more than ten minutes ahead', arrival + 10 * minute + 1],
  ])('takes the arrival time for %s', (_what, value) => {
    expect(eventTime(value, arrival)).toBe(arrival);
  });

  it('believes a clock that is ten minutes ahead', () => {
    expect(eventTime(arrival + 10 * minute, arrival)).toBe(arrival + 10 * minute);
  });

  it('always answers whole milliseconds between 2000 and ten minutes ahead', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.bigInt(), fc.string(), fc.date()), (value) => {
        const time = eventTime(value, arrival);
        expect(Number.isSafeInteger(time)).toBe(true);
        expect(time).toBeGreaterThanOrEqual(946_684_800_000);
        expect(time).toBeLessThanOrEqual(arrival + 10 * minute);
      }),
    );
  });
});
