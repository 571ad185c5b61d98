// An app that logs what its parent asks for: node logging-app.mjs FRONT OPTIONS
// FRONT is `pino` (in Pino's worker), `winston`, or `pino/file` for comparison. What goes between the two is in ../logging-app.ts.
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';
import { endWithParent, leaveParent } from './parent.mjs';
import { peakMemoryBytes } from './peak-memory.mjs';
import { measureStalls } from './stalls.mjs';

const [frontName, json] = process.argv.slice(2);
const options = JSON.parse(json);

/** The numbers of Pino's levels, which Winston's names are counted by. */
const allLevels = ['debug', 'info', 'warn', 'error'];

let errorEvents = 0;

const fronts = {
  pino() {
    const transport = pino.transport({ target: 'diaspora-logger/pino', options });
    transport.on('error', () => {
      errorEvents += 1;
    });
    let stats = null;
    transport.on('stats', (latest) => {
      stats = latest;
    });
    const logger = pino({ level: 'debug' }, transport);
    return {
      log: (level, fields) => logger[level](fields, 'record'),
      flush: () => new Promise((resolve) => logger.flush(resolve)),
      async drain() {
        if (transport.writableNeedDrain) await once(transport, 'drain');
      },
      async end() {
        transport.end();
        await once(transport, 'close');
      },
      stats: () => stats,
    };
  },

  winston() {
    const transport = new DiasporaTransport(options);
    transport.on('error', () => {
      errorEvents += 1;
    });
    const logger = winston.createLogger({ level: 'debug', transports: [transport] });
    return {
      log: (level, fields) => logger.log({ level, message: 'record', ...fields }),
      flush: () => transport.flush(),
      async end() {
        logger.end();
        await once(transport, 'finish');
      },
      stats: () => transport.stats(),
    };
  },

  'pino/file'() {
    const transport = pino.transport({ target: 'pino/file', options });
    const logger = pino({ level: 'debug' }, transport);
    return {
      log: (level, fields) => logger[level](fields, 'record'),
      flush: () => new Promise((resolve) => logger.flush(resolve)),
      async end() {
        transport.end();
        await once(transport, 'close');
      },
      stats: () => null,
    };
  },
};

const front = fronts[frontName]();
let written = 0;
let stalls = null;
let rate = null;
let peakRssBytes = 0;

/** `app` and `n` tell the reader which record it is, whatever the package says; `at` how long it was on its way. */
function logOne(level, padding) {
  const record = { front: frontName, app: process.pid, n: written, at: Date.now() };
  front.log(level, { ...record, ...(padding && { padding }) });
  written += 1;
}

function logAtRate(perSecond) {
  clearInterval(rate);
  const begun = performance.now();
  let logged = 0;
  rate = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) / 1000) * perSecond);
    for (; logged < due; logged += 1) logOne('info');
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss());
  }, 10);
}

/** As fast as it can, in turns of 500 records, as a busy app does. */
async function logBurst({ count, size = 0, level, levels = allLevels, drains = false }) {
  const padding = 'x'.repeat(size);
  for (let i = 0; i < count; i += 1) {
    logOne(level ?? levels[i % levels.length], padding);
    if (i % 500 !== 499) continue;
    await setImmediate();
    if (drains) await front.drain?.();
  }
}

const commands = {
  async rate(perSecond) {
    logAtRate(perSecond);
    stalls ??= measureStalls();
  },
  async pause() {
    clearInterval(rate);
  },
  async burst(burst) {
    stalls ??= measureStalls();
    await logBurst(burst);
  },
  async flush() {
    await front.flush();
  },
  async measure() {
    stalls?.stop();
    stalls = measureStalls();
  },
  /** Told before the process ends: what comes after is the parent's to see. */
  async end() {
    clearInterval(rate);
    const { longestMs = 0, longestOwnMs = 0 } = stalls?.stop() ?? {};
    const begun = performance.now();
    await front.end();
    const closeMs = performance.now() - begun;
    const maxRssBytes = peakMemoryBytes();
    return { stallMs: longestMs, ownStallMs: longestOwnMs, closeMs, maxRssBytes };
  },
};

endWithParent();
process.on('message', async ({ id, command, argument }) => {
  const more = await commands[command](argument);
  process.send({ id, written, errorEvents, stats: front.stats(), ...more });
  // Nothing else keeps the process alive.
  if (command === 'end') leaveParent();
});
process.send({ id: 0, written, errorEvents, stats: null });
