// Makes a thread's clock wrong by CLOCK_SHIFT_MS milliseconds, and tells of each renewed token:
// NODE_OPTIONS=--import=…/shifted-clock.mjs, which worker threads follow too. Timers and `performance.now()` go on as they
// are, as they do where a machine's clock is wrong; so does the check of certificates' dates, which asks no JavaScript.
import { subscribe } from 'node:diagnostics_channel';
import { writeSync } from 'node:fs';

const shiftMs = Number(process.env['CLOCK_SHIFT_MS']);
const rightNow = Date.now;

Date.now = () => rightNow() + shiftMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, given, newTarget) =>
    Reflect.construct(target, given.length > 0 ? given : [Date.now()], newTarget),
  apply: () => new Date().toString(),
});

subscribe('diaspora-logger', ({ code }) => {
  if (code === 'TOKEN_REFRESHED') writeSync(2, 'A token was renewed.\n');
});
