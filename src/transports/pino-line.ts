/** Level and time of a line, read from its first bytes: no line is parsed for them. */
import { eventTime } from './event-time.ts';
import { levelNumber } from './level.ts';

export interface LineHead {
  /** Pino's number; null where the line does not begin with a level that is known. */
  readonly level: number | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

const levelField = '"level":';
const timeField = '"time":';

const quote = 0x22;
const comma = 0x2c;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const backslash = 0x5c;
const closingBrace = 0x7d;

/** No level name and no time is longer; what is, is not worth reading. */
const longestValue = 64;

/**
 * Pino begins each line with `{"level":30,"time":1700000000000,`. Either may be absent (a formatter
 * or `timestamp: false`), be a string (level labels, `isoTime`), or be in another unit; what does not
 * stand at the beginning is not looked for.
 */
export function readHead(line: string, arrival: number): LineHead {
  let at = 1;
  let level: number | null = null;
  if (line.startsWith(levelField, at)) {
    const start = at + levelField.length;
    const end = endOfValue(line, start);
    if (end === -1) return { level, timestamp: arrival };
    level = levelNumber(valueBetween(line, start, end));
    at = end + 1;
  }
  if (!line.startsWith(timeField, at)) return { level, timestamp: arrival };
  const start = at + timeField.length;
  const end = endOfValue(line, start);
  return {
    level,
    timestamp: end === -1 ? arrival : eventTime(valueBetween(line, start, end), arrival),
  };
}

/** Index of the comma or brace after a plain string or number that begins at `start`; -1 where it is neither. */
function endOfValue(line: string, start: number): number {
  const limit = Math.min(line.length, start + longestValue);
  let at = start;
  if (line.charCodeAt(at) === quote) {
    do {
      at += 1;
      // An escaped name is none of the known ones.
      if (at >= limit || line.charCodeAt(at) === backslash) return -1;
    } while (line.charCodeAt(at) !== quote);
    at += 1;
  } else {
    while (at < limit && isPartOfNumber(line.charCodeAt(at))) at += 1;
    if (at === start) return -1;
  }
  const next = line.charCodeAt(at);
  return next === comma || next === closingBrace ? at : -1;
}

function valueBetween(line: string, start: number, end: number): string | number {
  if (line.charCodeAt(start) === quote) return line.slice(start + 1, end - 1);
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const code = line.charCodeAt(at);
    if (code === dot) return Number(line.slice(start, end));
    value = value * 10 + (code - zero);
  }
  return value;
}

function isPartOfNumber(code: number): boolean {
  return (code >= zero && code <= nine) || code === dot;
}
