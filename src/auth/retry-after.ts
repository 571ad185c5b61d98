/** Waiting between token requests: full jitter, or what the server asks for. */

/** Bounds of the back-off between token requests, in milliseconds. */
const backOffMs = { first: 500, most: 8_000 } as const;

/** Full jitter: a fleet that lost its endpoint does not come back in step. `attempt` counts from 0. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(backOffMs.most, backOffMs.first * 2 ** attempt);
}

/** Milliseconds that a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 section 10.2.3). Null for none. */
export function readRetryAfter(header: unknown, now: number): number | null {
  if (typeof header !== 'string') return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
