/** From a line, and where asked for its fields, to a record for delivery. */
import type { Header } from '../delivery/driver.ts';
import type { LogRecord } from '../delivery/record.ts';
import type { ResolvedRouting } from '../options.ts';
import { toJson } from './json.ts';
import type { LineHead } from './pino-line.ts';

/** A record's fields by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** Gives each record the key, the headers and the partition that the options ask for. */
export class RecordBuilder {
  /** Whether the options name fields: only then is a line worth parsing. */
  readonly readsFields: boolean;
  readonly #routing: ResolvedRouting;

  constructor(routing: ResolvedRouting) {
    this.#routing = routing;
    this.readsFields = routing.keyField !== null || routing.headerFields.length > 0;
  }

  /** `fields` is null where the options name none, or where the record has none. */
  build(value: string | Buffer, head: LineHead, fields: Fields | null): LogRecord {
    const { key, partition, headers } = this.#routing;
    return {
      key: fields ? this.#keyOf(fields) : key,
      value,
      headers: fields ? this.#headersOf(fields) : headers,
      timestamp: head.timestamp,
      level: head.level,
      partition,
    };
  }

  #keyOf(fields: Fields): string | null {
    const { key, keyField } = this.#routing;
    return keyField === null ? key : fieldText(fields, keyField);
  }

  #headersOf(fields: Fields): readonly Header[] {
    const { headers, headerFields } = this.#routing;
    const found: Header[] = [...headers];
    for (const name of headerFields) {
      const text = fieldText(fields, name);
      if (text !== null) found.push([name, text]);
    }
    return found;
  }
}

/** Fields of a line of JSON; null where it is no JSON object. */
export function parseFields(line: string): Fields | null {
  try {
    return asFields(JSON.parse(line));
  } catch {
    return null;
  }
}

/** The value as fields by name, where it is an object at all. */
export function asFields(value: unknown): Fields | null {
  return isFields(value) ? value : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Strings as they are, all else as JSON; null where there is no such field, or it is null. */
function fieldText(fields: Fields, name: string): string | null {
  const value = Object.hasOwn(fields, name) ? fields[name] : null;
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : unquoted(toJson(value));
}

/** A BigInt comes out of JSON as a string. */
function unquoted(json: string): string {
  return /^"\d+"$/.test(json) ? json.slice(1, -1) : json;
}
