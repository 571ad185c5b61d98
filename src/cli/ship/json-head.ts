/** Level and time of a line of JSON, whichever logger wrote it: read without parsing the line. */
import { eventTime } from '../../transports/event-time.ts';
import { levelNumber } from '../../transports/level.ts';
import { type LineHead, readHead } from '../../transports/pino-line.ts';

/** As Pino, Bunyan, Winston, logrus, slog, zap, structlog, Serilog, Logstash and ECS call it. */
const timeNames: ReadonlySet<string> = new Set([
  'time',
  'timestamp',
  'ts',
  '@timestamp',
  '@t',
  'datetime',
]);

/** The same; `severity` is that of Google Cloud. */
const levelNames: ReadonlySet<string> = new Set([
  'level',
  'severity',
  'lvl',
  'levelname',
  'log.level',
  '@l',
]);

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const openBracket = 0x5b;

/**
 * Pino's place for them is the beginning of the line; elsewhere they are looked for among the fields of the object itself,
 * by the names that other loggers give them. Text that is no JSON has the time of its arrival (milliseconds since the epoch)
 * and no level.
 */
export function headOf(line: string, arrival: number): LineHead {
  const head = readHead(line, arrival);
  if (line.charCodeAt(0) !== openBrace) return head;
  if (head.level !== null && head.timestamp !== arrival) return head;
  const { level, time } = fieldsOf(line);
  return {
    level: head.level ?? levelNumber(level),
    timestamp: head.timestamp === arrival ? eventTime(time, arrival) : head.timestamp,
  };
}

interface Found {
  level?: string | number;
  time?: string | number;
}

/** Stops at the first thing that is no JSON: what was found by then counts. */
function fieldsOf(line: string): Found {
  const found: Found = {};
  let at = 1;
  while (found.level === undefined || found.time === undefined) {
    const start = skipSpace(line, at);
    const end = endOfString(line, start);
    if (end === -1) break;
    const name = line.slice(start + 1, end - 1);
    at = skipSpace(line, end);
    if (line[at] !== ':') break;
    const valueAt = skipSpace(line, at + 1);
    const valueEnd = endOfValue(line, valueAt);
    if (valueEnd === -1) break;
    if (timeNames.has(name)) found.time ??= plainValue(line.slice(valueAt, valueEnd));
    else if (levelNames.has(name)) found.level ??= plainValue(line.slice(valueAt, valueEnd));
    at = skipSpace(line, valueEnd);
    if (line[at] !== ',') break;
    at += 1;
  }
  return found;
}

function skipSpace(line: string, from: number): number {
  let at = from;
  while (line[at] === ' ' || line[at] === '\t') at += 1;
  return at;
}

/** Index behind the string that begins there; -1 where none does, or it has no end. */
function endOfString(line: string, start: number): number {
  if (line.charCodeAt(start) !== quote) return -1;
  let at = start;
  do {
    at = line.indexOf('"', at + 1);
    if (at === -1) return -1;
  } while (isEscaped(line, at));
  return at + 1;
}

/** Whether an odd number of backslashes stands before it. */
function isEscaped(line: string, index: number): boolean {
  let at = index - 1;
  while (line.charCodeAt(at) === backslash) at -= 1;
  return (index - at) % 2 === 0;
}

/** Index behind the value that begins there; -1 where it has no end. */
function endOfValue(line: string, start: number): number {
  const first = line.charCodeAt(start);
  if (first === quote) return endOfString(line, start);
  if (first === openBrace || first === openBracket) return endOfNested(line, start);
  const plain = /[,}\]\s]/g;
  plain.lastIndex = start;
  return plain.exec(line)?.index ?? -1;
}

function endOfNested(line: string, start: number): number {
  const mark = /["{}[\]]/g;
  mark.lastIndex = start;
  let depth = 0;
  for (let match = mark.exec(line); match; match = mark.exec(line)) {
    const [character] = match;
    if (character === '"') {
      const end = endOfString(line, match.index);
      if (end === -1) return -1;
      mark.lastIndex = end;
    } else {
      depth += character === '{' || character === '[' ? 1 : -1;
      if (depth === 0) return match.index + 1;
    }
  }
  return -1;
}

/** A string without escapes, or a number. */
function plainValue(text: string): string | number {
  if (text.charCodeAt(0) !== quote) return Number(text);
  return text.slice(1, -1);
}
