/** Records as programs read them, with all that Kafka keeps of them. */
import { isUtf8 } from 'node:buffer';
import type { ConsumedRecord } from '../../consume/read-topic.ts';
import type { RecordContent } from './record-content.ts';
import { safeJson } from './safe-text.ts';

/**
 * One line. `encoding` tells what `value` is: `json`, the record's own object as it stands; `text`; `base64`; or null, where it is
 * null. Keys and headers are text, or `{"base64":"…"}` where they are none; a header that occurs more than once is an array.
 * `timestamp` is in milliseconds since the epoch.
 */
export function jsonForm(record: ConsumedRecord, content: RecordContent): string {
  const { topic, partition, offset, timestamp, key, headers } = record;
  const [encoding, value] = encoded(content);
  const parts: readonly (readonly [string, string])[] = [
    ['topic', JSON.stringify(topic)],
    ['partition', String(partition)],
    ['offset', String(offset)],
    ['timestamp', String(timestamp)],
    ['key', JSON.stringify(bytesOf(key))],
    ['headers', JSON.stringify(headersOf(headers))],
    ['encoding', JSON.stringify(encoding)],
    ['value', value],
  ];
  const fields = parts.map(([name, json]) => `"${name}":${json}`);
  return `${safeJson(`{${fields.join(',')}}`)}\n`;
}

/** The object's own text, not what parsing it makes of it: numbers keep all of their digits. */
function encoded(content: RecordContent): readonly [encoding: string | null, json: string] {
  switch (content.kind) {
    case 'object':
      return ['json', content.text.trim()];
    case 'text':
      return ['text', JSON.stringify(content.text)];
    case 'binary':
      return ['base64', JSON.stringify(content.bytes.toString('base64'))];
    case 'none':
      return [null, 'null'];
  }
}

function bytesOf(bytes: Buffer | null): string | { base64: string } | null {
  if (bytes === null) return null;
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') };
}

function headersOf(headers: ConsumedRecord['headers']): Record<string, unknown> {
  const names = [...new Set(headers.map(([name]) => name))];
  const valuesOf = (name: string): unknown[] =>
    headers.flatMap(([other, bytes]) => (other === name ? [bytesOf(bytes)] : []));
  return Object.fromEntries(
    names.map((name) => {
      const values = valuesOf(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}
