/** Levels of several loggers on Pino's scale. */

/** Pino's numbers for the names of Pino, of Winston's npm, cli and syslog levels, and of common mappings onto them. */
const numbers: ReadonlyMap<string, number> = new Map([
  ['silly', 10],
  ['trace', 10],
  ['debug', 20],
  ['verbose', 20],
  ['input', 20],
  ['http', 20],
  ['data', 30],
  ['help', 30],
  ['prompt', 30],
  ['info', 30],
  ['informational', 30],
  ['notice', 30],
  ['warn', 40],
  ['warning', 40],
  ['err', 50],
  ['error', 50],
  ['crit', 60],
  ['critical', 60],
  ['alert', 60],
  ['emerg', 60],
  ['emergency', 60],
  ['fatal', 60],
]);

/** A level as Pino's number, 10 (trace) to 60 (fatal); a number is taken as it is; null where it means nothing. */
export function levelNumber(level: unknown): number | null {
  if (typeof level === 'number') return Number.isFinite(level) ? level : null;
  if (typeof level !== 'string') return null;
  return numbers.get(level) ?? numbers.get(level.toLowerCase()) ?? null;
}
