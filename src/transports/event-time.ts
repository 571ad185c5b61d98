/** When a record happened, whatever unit its logger writes. */

/** 2000-01-01T00:00:00Z in milliseconds: clocks that were never set show earlier times. */
const earliest = 946_684_800_000;

/** Kafka refuses times more than an hour ahead, and with them the whole batch: stay far below. */
const mostAheadMs = 10 * 60_000;

/** ISO 8601 and RFC 3339, with or without the `T`, as `Date.parse` knows them. */
const isoForm = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d|$)/;

/**
 * Event time in whole milliseconds since the epoch. Numbers are taken as seconds, milliseconds,
 * microseconds or nanoseconds by their magnitude; strings as ISO 8601, or as such a number. What is
 * missing, unparsable, before 2000 or more than 10 minutes after `arrival` becomes `arrival`.
 */
export function eventTime(value: unknown, arrival: number): number {
  const time = milliseconds(value);
  return time >= earliest && time <= arrival + mostAheadMs ? time : arrival;
}

/** NaN where the value is no time. */
function milliseconds(value: unknown): number {
  if (typeof value === 'number') return fromNumber(value);
  if (typeof value === 'bigint') return fromNumber(Number(value));
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'string') return Number.NaN;
  if (/^\d+(?:\.\d+)?$/.test(value)) return fromNumber(Number(value));
  return isoForm.test(value) ? Date.parse(value) : Number.NaN;
}

/**
 * Between 2000 and 5138 the four units never overlap: 1e11 s is in the year 5138, 1e11 ms in 1973,
 * and the same again a thousandfold for the smaller units.
 */
function fromNumber(value: number): number {
  if (value < 1e11) return Math.round(value * 1_000);
  if (value < 1e14) return Math.round(value);
  if (value < 1e17) return Math.floor(value / 1e3);
  return Math.floor(value / 1e6);
}
