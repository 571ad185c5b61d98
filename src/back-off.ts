/** How long to wait before the next attempt. */

/**
 * Full jitter: a random time between 0 and a bound that doubles with each attempt, in milliseconds
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backOff(
  attempt: number,
  { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number },
  random: () => number = Math.random,
): number {
  return random() * Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
}
