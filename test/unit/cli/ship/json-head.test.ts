import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headOf } from '../../../../src/cli/ship/json-head.ts';

const arrival = Date.UTC(2026, 0, 2);
const time = Date.UTC(2026, 0, 1, 12, 0, 0, 250);
const iso = '2026-01-01T12:00:00.250Z';

describe('level and time of a JSON line are understood', () => {
  it.each([
    ['Pino', `{"level":40,"time":${time},"pid":1,"msg":"a"}`],
    ['Pino with ISO time', `{"level":40,"time":"${iso}","msg":"a"}`],
    ['Bunyan', `{"name":"app","hostname":"h","pid":1,"level":40,"msg":"a","time":"${iso}","v":0}`],
    ['Winston', `{"level":"warn","message":"a","timestamp":"${iso}"}`],
    ['logrus', `{"animal":"walrus","level":"warning","msg":"a","time":"${iso}"}`],
    ["Go's slog", `{"time":"${iso}","level":"WARN","msg":"a"}`],
    ['zap', `{"level":"warn","ts":${time / 1_000},"caller":"a.go:1","msg":"a"}`],
    ['structlog', `{"event": "a", "timestamp": "${iso}", "level": "warning"}`],
    ['Logstash', `{"@timestamp":"${iso}","message":"a","level":"WARN"}`],
    ['ECS', `{"@timestamp":"${iso}","log.level":"warn","message":"a"}`],
    ['Google Cloud', `{"severity":"WARNING","message":"a","timestamp":"${iso}"}`],
    ['behind nested values', `{"req":{"level":10,"list":[{"time":1}]},"level":40,"time":${time}}`],
    ['behind text with quotes', `{"msg":"\\"level\\":10,\\\\","level":40,"time":${time}}`],
  ])('%s', (_logger, line) => {
    expect(headOf(line, arrival)).toEqual({ level: 40, timestamp: time });
  });
});

describe('a line has the time of its arrival, and no level', () => {
  it.each([
    ['plain text', 'something happened'],
    ['an array', '[{"level":30}]'],
    ['an empty object', '{}'],
    ['an object that breaks off', '{"msg":"a'],
    ['one that breaks off in a name', '{"lev'],
    ['one without a colon', '{"level" 30}'],
    ['fields of an inner object alone', '{"a":{"level":30,"time":1}}'],
    ['values that are neither', '{"level":null,"time":[1]}'],
    ['a time that was never set', '{"time":12}'],
  ])('%s', (_name, line) => {
    expect(headOf(line, arrival)).toEqual({ level: null, timestamp: arrival });
  });
});

it('agrees with a parser wherever the fields stand, and whatever stands around them', () => {
  const others = fc.dictionary(
    fc.string().filter((name) => !/time|stamp|ts|@t|level|severity|lvl|@l/.test(name)),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(others, others, fc.constantFrom(10, 30, 'error'), (before, after, level) => {
      const line = JSON.stringify({ ...before, level, timestamp: iso, ...after });
      const expected = typeof level === 'number' ? level : 50;
      expect(headOf(line, arrival)).toEqual({ level: expected, timestamp: time });
    }),
  );
});

it('takes any text at all', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      headOf(`{${text}`, arrival);
    }),
  );
});
