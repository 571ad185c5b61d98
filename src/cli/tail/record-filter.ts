/** Which records `tail` shows: those that pass every filter. */
import type { ConsumedRecord } from '../../consume/read-topic.ts';
import { ConfigurationError } from '../../errors.ts';
import { levelNumber } from '../../transports/level.ts';
import type { RecordContent } from './record-content.ts';

/** As the command line has them. */
export interface FilterFlags {
  readonly level?: string;
  readonly key?: string;
  readonly header?: readonly string[];
  readonly grep?: readonly string[];
}

export type RecordFilter = (record: ConsumedRecord, content: RecordContent) => boolean;

/** Throws `ConfigurationError`. */
export function recordFilter({ level, key, header = [], grep = [] }: FilterFlags): RecordFilter {
  const filters: RecordFilter[] = [
    ...(key === undefined ? [] : [withKey(key)]),
    ...header.map(withHeader),
    ...(level === undefined ? [] : [fromLevel(level)]),
    ...grep.map(withText),
  ];
  return (record, content) => filters.every((passes) => passes(record, content));
}

function withKey(key: string): RecordFilter {
  const wanted = Buffer.from(key);
  return (record) => record.key?.equals(wanted) === true;
}

function withHeader(flag: string): RecordFilter {
  const at = flag.indexOf('=');
  if (at < 1) {
    throw new ConfigurationError(
      `--header takes name=value, got ${JSON.stringify(flag)}.`,
      'header',
    );
  }
  const wanted = Buffer.from(flag.slice(at + 1));
  const name = flag.slice(0, at);
  return ({ headers }) =>
    headers.some(([found, value]) => found === name && value?.equals(wanted) === true);
}

/** A record without a level does not pass. */
function fromLevel(flag: string): RecordFilter {
  const least = levelNumber(/^\d+$/.test(flag) ? Number(flag) : flag);
  if (least === null) {
    throw new ConfigurationError(
      `--level takes a name such as trace, debug, info, warn, error or fatal, or one of Pino's numbers, got ${JSON.stringify(flag)}.`,
      'level',
    );
  }
  return (_record, content) => {
    const level = content.kind === 'object' ? levelNumber(content.fields['level']) : null;
    return level !== null && level >= least;
  };
}

const expression = /^\/(.+)\/([a-z]*)$/s;

/** In the value as it stands. A value that is no text has none. */
function withText(flag: string): RecordFilter {
  const [, source, flags = ''] = expression.exec(flag) ?? [];
  const matches =
    source === undefined ? (text: string) => text.includes(flag) : regular(source, flags);
  return (_record, content) => 'text' in content && matches(content.text);
}

function regular(source: string, flags: string): (text: string) => boolean {
  try {
    // "g" and "y" go on where the last record matched.
    const pattern = new RegExp(source, flags.replaceAll(/[gy]/g, ''));
    return (text) => pattern.test(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError(
      `--grep takes text, or a regular expression between slashes: ${why}.`,
      'grep',
    );
  }
}
