// How long this thread's event loop was held up: in all, and by the app itself.
import { openSync, readSync } from 'node:fs';

/** How often the loop is asked for a sign of life, in milliseconds. */
const intervalMs = 5;

/** A reading that took longer was interrupted: its parts are not of one moment. In milliseconds. */
const momentMs = 1;

/** The main thread's account with Linux's scheduler: nanoseconds run, nanoseconds waited for a processor, turns. */
const schedstat = '/proc/self/schedstat';

/**
 * Measures until `stop`. `longestMs` is the longest time that the loop was late. `longestOwnMs` is the longest of what
 * the app had of it: it ran, or a call blocked it. The time in which this thread was ready and other processes had the
 * processors is taken off, and that in which the loop slept, had nothing to do, and was woken late.
 */
export function measureStalls() {
  const readings = reader();
  let longestMs = 0;
  let longestOwnMs = 0;
  let last = readings();
  const timer = setInterval(() => {
    const now = readings();
    const late = now.at - last.at - intervalMs;
    const busy = now.busy - last.busy;
    const own = Math.max(now.ran - last.ran, busy - (now.waited - last.waited));
    longestMs = Math.max(longestMs, late);
    longestOwnMs = Math.max(longestOwnMs, Math.min(late, own));
    last = now;
  }, intervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      return { longestMs, longestOwnMs };
    },
  };
}

/** Answers a function for what was until now, in milliseconds: of one moment, or what waited in between counts elsewhere. */
function reader() {
  const scheduled = scheduler();
  return () => {
    for (;;) {
      const before = performance.now();
      const { ran, waited } = scheduled();
      const busy = performance.eventLoopUtilization().active;
      const at = performance.now();
      if (at - before < momentMs) return { at, busy, ran, waited };
    }
  };
}

/** Elsewhere than on Linux nothing is known of it, and nothing is taken off. */
function scheduler() {
  if (process.platform !== 'linux') return () => ({ ran: 0, waited: 0 });
  const descriptor = openSync(schedstat, 'r');
  const buffer = Buffer.alloc(128);
  return () => {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0);
    const [ran, waited] = buffer.toString('latin1', 0, length).split(' ');
    return { ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 };
  };
}
