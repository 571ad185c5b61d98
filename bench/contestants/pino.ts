/** Pino with the package's transport in its worker: from the first `logger.info` to 'close' after `transport.end()`. */
import { once } from 'node:events';
import pino from 'pino';
import type { Stats } from '../../src/transports/pino.ts';
import { contestant, startClocks } from '../contestant.ts';
import { packageOptions } from '../task.ts';
import { base, logInBursts, workload } from '../workload.ts';

await contestant(async (task) => {
  const records = workload(task.records);
  const begun = performance.now();
  const transport = pino.transport({
    target: new URL('transports/pino.js', task.packageUrl).href,
    options: packageOptions(task),
  });
  let stats: Stats | undefined;
  transport.on('stats', (latest: Stats) => {
    stats = latest;
  });
  const logger = pino({ base }, transport);
  logger.info('the first record');
  await new Promise((resolve) => logger.flush(resolve));
  const connectMilliseconds = performance.now() - begun;

  const read = startClocks();
  await logInBursts(logger, records);
  transport.end();
  await once(transport, 'close');
  return { ...read(), connectMilliseconds, delivered: (stats?.acknowledged ?? 0) - 1 };
});
