/**
 * A job that reads text files line by line and logs each line through Winston into the topic. Prints what it
 * logged as one line of JSON.
 */

import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { DiasporaTransport } from 'diaspora-logger/winston';
import winston from 'winston';

const transport = new DiasporaTransport({ sourceHeaders: true });
const logger = winston.createLogger({
  format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
  transports: [transport],
});

let logged = 0;
for (const file of process.argv.slice(2)) {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    logger.info(line, { file });
    logged += 1;
  }
}

logger.end();
await once(logger, 'finish');
process.stdout.write(`${JSON.stringify({ logged, stats: transport.stats() })}\n`);
