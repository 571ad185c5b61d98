/** JSON text of whatever a log call was given. */

/**
 * As `JSON.stringify`, but never throws: a circular reference becomes `"[Circular]"`, a BigInt its
 * digits as a string, and a field that cannot be read the reason why; the others stay.
 */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    // Only what plain JSON refuses pays for the careful way.
  }
  try {
    return JSON.stringify(value, carefully()) ?? 'null';
  } catch (error) {
    return fieldByField(value) ?? JSON.stringify({ message: reasonOf(error) });
  }
}

/** The fields that can be read, and for each of the others the reason why it cannot; null where there are none. */
function fieldByField(value: unknown): string | null {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const fields = Object.keys(value).map((name) => fieldOf(value, name));
    const readable = fields.filter((field) => field !== '');
    return readable.length === 0 ? null : `{${readable.join(',')}}`;
  } catch {
    return null;
  }
}

/** `"name":value`, or nothing where JSON leaves the field out. */
function fieldOf(value: object, name: string): string {
  try {
    const field: unknown = Reflect.get(value, name);
    // JSON has none, and one that is named toJSON would be called.
    if (typeof field === 'function') return '';
    return JSON.stringify({ [name]: field }, carefully(value)).slice(1, -1);
  } catch (error) {
    return JSON.stringify({ [name]: reasonOf(error) }).slice(1, -1);
  }
}

const reasonOf = (error: unknown): string => `[Unserializable: ${messageOf(error)}]`;

/** A replacer that knows the objects between itself and the root, which may be part of another. */
function carefully(outermost?: object): (this: unknown, key: string, value: unknown) => unknown {
  const ancestors: unknown[] = [];
  return function (_key, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    // `this` holds the value: what comes after it on the stack belongs to a branch already left.
    while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop();
    if (value === outermost || ancestors.includes(value)) return '[Circular]';
    ancestors.push(value);
    return value;
  };
}

/** What an error, or anything else that was thrown, says. Never throws. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'what was thrown has no text';
  }
}
