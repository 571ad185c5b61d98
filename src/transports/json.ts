/** JSON text of whatever a log call was given. */

/**
 * As `JSON.stringify`, but never throws: a circular reference becomes `"[Circular]"`, a BigInt its
 * digits as a string, and a value that cannot be read at all the reason why.
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
    return JSON.stringify({ message: `[Unserializable: ${messageOf(error)}]` });
  }
}

/** A replacer that knows the objects between the root and itself. */
function carefully(): (this: unknown, key: string, value: unknown) => unknown {
  const ancestors: unknown[] = [];
  return function (_key, value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    // `this` holds the value: what comes after it on the stack belongs to a branch already left.
    while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop();
    if (ancestors.includes(value)) return '[Circular]';
    ancestors.push(value);
    return value;
  };
}

/** What an error, or anything else that was thrown, says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
