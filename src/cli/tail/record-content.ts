/** What the bytes of a record are: text that holds a JSON object, other text, or neither. */
import { isUtf8 } from 'node:buffer';

/** A record's value, looked at once. */
export type RecordContent =
  | {
      readonly kind: 'object';
      readonly text: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly bytes: Buffer }
  /** A tombstone. */
  | { readonly kind: 'none' };

export function contentOf(value: Buffer | null): RecordContent {
  if (value === null) return { kind: 'none' };
  if (!isUtf8(value)) return { kind: 'binary', bytes: value };
  const text = value.toString('utf8');
  const fields = objectOf(text);
  return fields === null ? { kind: 'text', text } : { kind: 'object', text, fields };
}

/** Arrays, numbers and the like are text: no logger writes them. */
function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  if (!/^\s*\{/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
