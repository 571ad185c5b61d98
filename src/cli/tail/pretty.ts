/** Records as people read them, by pino-pretty. */
import pinoPretty from 'pino-pretty';
import type { ConsumedRecord } from '../../consume/read-topic.ts';
import { eventTime } from '../../transports/event-time.ts';
import { levelNumber } from '../../transports/level.ts';
import type { RecordContent } from './record-content.ts';
import { safeBlock, safeFields, safeLine } from './safe-text.ts';

/** In local time, as the person's own clock shows it. */
const timeFormat = 'SYS:yyyy-mm-dd HH:MM:ss.l';

/** Frames of a stack come line by line. */
const blocks: ReadonlySet<string> = new Set(['stack']);

const names: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** So many bytes of a value that is no text are shown. */
const shownBytes = 16;

/** Ends with a newline. */
export type PrettyPrint = (record: ConsumedRecord, content: RecordContent) => string;

export function prettyPrint({ colour }: { readonly colour: boolean }): PrettyPrint {
  // The fields of Pino and Winston: a message has either name.
  const [pino, winston] = ['msg', 'message'].map((messageKey) =>
    pinoPretty.prettyFactory({
      colorize: colour,
      translateTime: timeFormat,
      singleLine: true,
      messageKey,
      customPrettifiers: { level: prettyLevel },
    }),
  );
  const bare = (record: ConsumedRecord, text: string): string =>
    pino?.({ time: record.timestamp, msg: text }) ?? '';
  return (record, content) => {
    switch (content.kind) {
      case 'object':
        try {
          const print = 'msg' in content.fields ? pino : winston;
          return print?.(shown(record, content.fields)) ?? '';
        } catch {
          // What no logger writes, such as objects within objects a thousand times.
          return bare(record, safeLine(content.text));
        }
      case 'text':
        return bare(record, safeBlock(content.text.replace(/\n$/, '')).replaceAll('\n', '\n    '));
      case 'binary':
        return bare(record, `(no text: ${bytesText(content.bytes)})`);
      case 'none':
        return bare(record, `(no value${keyText(record)})`);
    }
  };
}

/** As pino-pretty takes it: with a time that is one, and a level that it does not stumble over. */
function shown(
  record: ConsumedRecord,
  { time, timestamp, level, ...fields }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const named = typeof level === 'string' ? safeLine(level) : '?';
  return {
    ...safeFields(fields, blocks),
    time: eventTime(time ?? timestamp, record.timestamp),
    ...(level !== undefined && { level: typeof level === 'number' ? level : named }),
  };
}

type Level = NonNullable<NonNullable<pinoPretty.PrettyOptions['customPrettifiers']>['level']>;

/** Winston has names that pino-pretty does not know, and both may have levels of an app's own. */
const prettyLevel: Level = (level, _key, _log, { colors }) => {
  const number = levelNumber(
    typeof level === 'string' && /^\d+$/.test(level) ? Number(level) : level,
  );
  const label = (typeof level === 'number' && names[level]) || String(level).toUpperCase();
  if (number === null) return label;
  if (number >= 60) return colors.bgRed(label);
  if (number >= 50) return colors.red(label);
  if (number >= 40) return colors.yellow(label);
  if (number >= 30) return colors.green(label);
  return number >= 20 ? colors.blue(label) : colors.gray(label);
};

function bytesText(bytes: Buffer): string {
  const start = bytes
    .subarray(0, shownBytes)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');
  return `${bytes.length} bytes, ${start}${bytes.length > shownBytes ? ' …' : ''}`;
}

function keyText({ key }: ConsumedRecord): string {
  return key === null ? '' : ` for key ${safeLine(JSON.stringify(key.toString('utf8')))}`;
}
