// How long this thread's event loop was held up: in all, and by the app itself.
import { openSync, readSync } from 'node:fs';

/** How often the loop is asked for a sign of life, in milliseconds. */
const intervalMs = 5;

/** The main thread's account with Linux's scheduler: nanoseconds run, nanoseconds waited for a processor, turns. */
const schedstat = '/proc/self/schedstat';

/**
 * Measures until `stop`. `longestMs` is the longest time that the loop was late; `longestOwnMs` the longest of what is
 * left when the time is taken off in which this thread was ready and other processes had the processors.
 */
export function measureStalls() {
  const waitedMs = schedulerWait();
  let longestMs = 0;
  let longestOwnMs = 0;
  let at = performance.now();
  let waited = waitedMs();
  const timer = setInterval(() => {
    const now = performance.now();
    const waitedNow = waitedMs();
    const late = now - at - intervalMs;
    longestMs = Math.max(longestMs, late);
    longestOwnMs = Math.max(longestOwnMs, late - (waitedNow - waited));
    at = now;
    waited = waitedNow;
  }, intervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      return { longestMs, longestOwnMs };
    },
  };
}

/** Elsewhere than on Linux nothing is known of it, and nothing is taken off. */
function schedulerWait() {
  if (process.platform !== 'linux') return () => 0;
  const descriptor = openSync(schedstat, 'r');
  const buffer = Buffer.alloc(128);
  return () => {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    return Number(buffer.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  };
}
