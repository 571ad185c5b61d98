// Logs COUNT records by one of the package's fronts, and tells apart from it what was logged:
// node flood.mjs FRONT COUNT OPTIONS DIRECTORY
// DIRECTORY/expected gets the SHA-256 of each record's bytes, in the order of logging (32 zeros for no
// value at all), DIRECTORY/places the partition and offset that each `send` was told, DIRECTORY/result.json the rest.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { DiasporaLogger } from 'diaspora-logger';
import { DiasporaTransport } from 'diaspora-logger/winston';
import pino from 'pino';
import winston from 'winston';
import Transport from 'winston-transport';
import { textOf } from './text.mjs';

const [front, countText, json, directory] = process.argv.slice(2);
const count = Number(countText);
const options = JSON.parse(json);
const expected = Buffer.alloc(32 * count);
const places = Buffer.alloc(12 * count);
let seen = 0;

function expect(content) {
  if (content !== null)
    createHash('sha256')
      .update(content)
      .digest()
      .copy(expected, 32 * seen);
  seen += 1;
}

/** Ends Pino's transport. Its worker keeps no process alive: this does. */
async function closed(transport) {
  const hold = setInterval(() => {}, 60_000);
  transport.end();
  await once(transport, 'close');
  clearInterval(hold);
}

/** Logs all, in bursts as a busy app does. */
async function burst(log) {
  for (let i = 0; i < count; i += 1) {
    log(i, textOf(i));
    if (i % 500 === 499) await setImmediate();
  }
}

const fronts = {
  async pino() {
    const transport = pino.transport({ target: 'diaspora-logger/pino', options });
    let stats = null;
    transport.on('stats', (latest) => {
      stats = latest;
    });
    // What Pino hands to a stream in the app is what it hands to the worker's.
    const own = { write: (line) => expect(line.slice(0, -1)) };
    const streams = [{ stream: own }, { stream: transport }];
    const logger = pino({}, pino.multistream(streams));
    await burst((i, text) => {
      if (i % 3 === 0) logger.info(text);
      else if (i % 3 === 1) logger.warn({ i, nested: { text: [text] } }, 'with fields');
      else logger.child({ text }).error(new Error(text.slice(0, 100)));
    });
    await closed(transport);
    return stats;
  },

  async winston() {
    const messageOf = Symbol.for('message');
    const seeing = new Transport({
      log(info, callback) {
        expect(info[messageOf]);
        callback();
      },
    });
    const shipping = new DiasporaTransport(options);
    const { combine, json, printf } = winston.format;
    const own = printf((info) => (info.i % 2 ? info[messageOf] : info.message));
    const format = combine(json(), own);
    const logger = winston.createLogger({ format, transports: [seeing, shipping] });
    await burst((i, text) => logger.log({ level: 'info', message: text, i }));
    logger.end();
    await once(logger, 'finish');
    return shipping.stats();
  },

  async logger() {
    const { topic, ...rest } = options;
    const logger = new DiasporaLogger(rest);
    const sent = [];
    await burst((i, text) => {
      const [value, content] = recordOf(i, text);
      expect(content);
      sent.push(logger.send(topic, value));
    });
    for (const [i, { partition, offset }] of (await Promise.all(sent)).entries()) {
      places.writeInt32LE(partition, 12 * i);
      places.writeBigInt64LE(offset, 12 * i + 4);
    }
    await logger.close();
    return logger.metrics()[topic];
  },
};

/** A value to send, and its bytes as the topic must have them. */
function recordOf(i, text) {
  const bytes = Buffer.from(text, i % 2 ? 'utf8' : 'utf16le');
  switch (i % 6) {
    case 0:
      return [text, text];
    case 1:
      return [bytes, bytes];
    case 2:
      return [new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), bytes];
    case 3:
      return [{ i, text }, JSON.stringify({ i, text })];
    case 4:
      return [[i, text, null, 1.5], JSON.stringify([i, text, null, 1.5])];
    default:
      return i % 12 === 5 ? [null, null] : [i, String(i)];
  }
}

const stats = await fronts[front]();
writeFileSync(join(directory, 'expected'), expected.subarray(0, 32 * seen));
writeFileSync(join(directory, 'places'), places);
const { maxRSS } = process.resourceUsage();
writeFileSync(
  join(directory, 'result.json'),
  JSON.stringify({ seen, stats, maxRssMiB: maxRSS / 1024 }),
);
