/** What a person pasted, without what copying puts around it. */

const pairs = ['""', "''", '``', '<>', '“”', '‘’'] as const;

/** Takes off quotes, and puts back the scheme that a browser's address bar leaves out. */
export function tidied(pasted: string): string {
  const text = pasted.trim();
  const isQuoted = pairs.some(
    ([open = '', close = '']) => text.length > 1 && text.startsWith(open) && text.endsWith(close),
  );
  const inner = isQuoted ? text.slice(1, -1).trim() : text;
  // A host, a path and a query: no authorization code looks like that.
  return /^([\w.-]+|\[[\da-f:]+\])(:\d+)?\/[^\s?]*\?/i.test(inner) ? `https://${inner}` : inner;
}
