/** Text of records as a terminal may have it: what would move its cursor, colour it or turn it round is shown, not done. */

/**
 * Control characters (C0, DEL, C1: ECMA-48) but tab and newline; line and paragraph separators; the marks that reorder what
 * follows (Unicode Annex 9): with them, text shows other than it reads (https://trojansource.codes).
 */
const unsafe = /(?![\t\n])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** As JSON writes them. */
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Tabs and newlines stay. */
export function safeBlock(text: string): string {
  return text.replaceAll(unsafe, escaped);
}

/** One line: a newline would let a record pass for two. */
export function safeLine(text: string): string {
  return safeBlock(text).replaceAll('\n', '\\n');
}

/** One line that means what it meant: in JSON line ends and tabs stand between tokens alone, and other such characters in strings, where an escape is the same. */
export function safeJson(json: string): string {
  return json.replaceAll(/[\r\n\t]/g, ' ').replaceAll(unsafe, escaped);
}

/** The fields of an object of JSON, with all of their texts safe. Texts under one of the names keep their newlines: such as the frames of a stack. */
export function safeFields(
  fields: Readonly<Record<string, unknown>>,
  blocks: ReadonlySet<string>,
): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] => [
    safeLine(name),
    safeValue(value, name, blocks),
  ]);
  return Object.fromEntries(entries);
}

function safeValue(value: unknown, name: string, blocks: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return blocks.has(name) ? safeBlock(value) : safeLine(value);
  if (Array.isArray(value)) return value.map((entry) => safeValue(entry, '', blocks));
  return typeof value === 'object' && value !== null ? safeFields({ ...value }, blocks) : value;
}
