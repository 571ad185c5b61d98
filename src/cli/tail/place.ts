/** Where a reading begins and ends, as the command line says it. */
import type { Place } from '../../consume/read-topic.ts';
import { ConfigurationError } from '../../errors.ts';

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds since the epoch before this are most likely seconds: no record has such a time. */
const earliestTime = Date.UTC(2000, 0, 1);

const timeTakes = '-1h (also s, m, d, w), 2026-01-01T00:00Z, or milliseconds since the epoch';

/** `--from`. `now` in milliseconds since the epoch. Throws `ConfigurationError`. */
export function parseFrom(
  text: string,
  now: number = Date.now(),
): Exclude<Place, { offsets: unknown }> {
  if (text === 'earliest') return text;
  if (text === 'now' || text === 'latest') return 'latest';
  return { time: timeOf('--from', `earliest, now, ${timeTakes}`, text, now) };
}

/** `--until`. Throws `ConfigurationError`. */
export function parseUntil(
  text: string,
  now: number = Date.now(),
): 'end' | { readonly time: number } {
  if (text === 'end' || text === 'now') return 'end';
  return { time: timeOf('--until', `end, ${timeTakes}`, text, now) };
}

function timeOf(flag: string, takes: string, text: string, now: number): number {
  const refuse = (why = ''): never => {
    throw new ConfigurationError(
      `${flag} takes ${takes}; got ${JSON.stringify(text)}${why}.`,
      flag.slice(2),
    );
  };
  const [, count, unit = ''] = /^-(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? [];
  if (count !== undefined) return Math.round(now - Number(count) * (unitMs[unit] ?? 0));
  if (/^\d{6,}$/.test(text)) {
    const time = Number(text);
    if (time >= earliestTime && time <= 8.64e15) return time;
    return refuse(`, which is ${time > 8.64e15 ? 'no date' : new Date(time).toISOString()}`);
  }
  // Only ISO 8601: Date.parse takes all sorts of text for a date.
  const time = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? refuse() : time;
}
