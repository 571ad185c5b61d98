import { Writable } from 'node:stream';
import fc from 'fast-check';
import pino, { type LoggerOptions, stdTimeFunctions } from 'pino';
import { describe, expect, it } from 'vitest';
import { eventTime } from '../../../src/transports/event-time.ts';
import { levelNumber } from '../../../src/transports/level.ts';
import { readHead } from '../../../src/transports/pino-line.ts';

/** What Pino itself writes for these options. */
function pinoLine(
  options: LoggerOptions,
  log: (logger: pino.Logger) => void = (logger) => logger.warn('text'),
): string {
  let line = '';
  const stream = new Writable({
    write(chunk, _encoding, callback) {
      line += String(chunk);
      callback();
    },
  });
  log(pino({ level: 'trace', ...options }, stream));
  return line.trimEnd();
}

const arrival = Date.now() + 1_000;

describe('readHead', () => {
  it('reads level and time as a JSON parser would, whatever follows them', () => {
    const levels = fc.constantFrom('trace', 'debug', 'info', 'warn', 'error', 'fatal');
    const fields = fc.dictionary(
      fc.string().filter((name) => !['level', 'time'].includes(name)),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(levels, fields, fc.string(), (level, object, message) => {
        const line = pinoLine({}, (logger) => logger[level](object, '%s', message));
        const parsed: { level: number; time: number } = JSON.parse(line);
        expect(readHead(line, arrival)).toEqual({ level: parsed.level, timestamp: parsed.time });
      }),
    );
  });

  it.each([
    ['isoTime', stdTimeFunctions.isoTime],
    ['epochTime', stdTimeFunctions.epochTime],
    ['unixTime', stdTimeFunctions.unixTime],
    ['isoTimeNano', stdTimeFunctions.isoTimeNano],
  ])("reads Pino's %s", (_name, timestamp) => {
    const before = Math.floor(Date.now() / 1_000) * 1_000;
    const line = pinoLine({ timestamp });
    const head = readHead(line, arrival);
    expect(head.level).toBe(40);
    expect(head.timestamp).toBe(eventTime(JSON.parse(line).time, arrival));
    expect(head.timestamp).toBeGreaterThanOrEqual(before - 1_000);
    expect(head.timestamp).toBeLessThan(arrival);
  });

  it('reads labels as levels', () => {
    const line = pinoLine({ formatters: { level: (label) => ({ level: label }) } });
    expect(readHead(line, arrival)).toEqual({ level: 40, timestamp: JSON.parse(line).time });
  });

  it('reads the numbers of levels that the app made itself', () => {
    const line = pinoLine({ customLevels: { notice: 35 }, level: 'notice' }, (logger) =>
      logger.child({ module: 'x' }).error('text'),
    );
    expect(readHead(line, arrival).level).toBe(50);
    expect(readHead('{"level":35,"time":1700000000000}', arrival)).toEqual({
      level: 35,
      timestamp: 1_700_000_000_000,
    });
  });

  it('takes the arrival time where there is no time', () => {
    expect(readHead(pinoLine({ timestamp: false }), arrival)).toEqual({
      level: 40,
      timestamp: arrival,
    });
  });

  it.each([
    ['another order', '{"msg":"x","level":30,"time":1700000000000}'],
    ['another name', '{"severity":"info","msg":"x"}'],
    ['an escaped level', '{"level":"inf\\u006f","time":1700000000000}'],
    ['an object as level', '{"level":{"name":"info"},"time":1700000000000}'],
    ['no JSON', 'plain text'],
    ['a cut line', '{"level":'],
    ['an endless number', `{"level":${'9'.repeat(1_000)}}`],
    ['nothing', ''],
  ])('knows neither level nor time of %s', (_what, line) => {
    expect(readHead(line, arrival)).toEqual({ level: null, timestamp: arrival });
  });

  it('reads the time of a line without a level', () => {
    expect(readHead('{"time":1700000000000,"msg":"x"}', arrival)).toEqual({
      level: null,
      timestamp: 1_700_000_000_000,
    });
  });
});

describe('levelNumber', () => {
  it.each([
    ['silly', 10],
    ['debug', 20],
    ['http', 20],
    ['INFO', 30],
    ['notice', 30],
    ['warning', 40],
    ['error', 50],
    ['emerg', 60],
    ['fatal', 60],
    [35, 35],
  ])("puts %s at %i on Pino's scale", (name, number) => {
    expect(levelNumber(name)).toBe(number);
  });

  it.each([undefined, null, 'unheard-of', Number.NaN, {}])('has no number for %s', (level) => {
    expect(levelNumber(level)).toBeNull();
  });
});
