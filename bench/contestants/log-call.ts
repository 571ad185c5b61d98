/** What a log call costs the app's thread: with the package in Pino's worker, or with `pino/file` there. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import pino from 'pino';
import type { Stats } from '../../src/transports/pino.ts';
import { contestant, startClocks } from '../contestant.ts';
import { type LogCallTask, packageOptions } from '../task.ts';
import { base, logInBursts, workload } from '../workload.ts';

/** 20,000 records a second. */
const pacedBurst = 200;
const pacedPauseMs = 10;

const warmUpRecords = 10_000;

await contestant<LogCallTask>(async (task) => {
  const records = workload(task.records);
  const begun = performance.now();
  const transport =
    task.to === 'file'
      ? pino.transport({ target: 'pino/file', options: { destination: task.file } })
      : pino.transport({
          target: new URL('transports/pino.js', task.packageUrl).href,
          options: packageOptions(task),
        });
  let stats: Stats | undefined;
  transport.on('stats', (latest: Stats) => {
    stats = latest;
  });
  const logger = pino({ base }, transport);
  // Compiled by V8 before the clock starts, as in an app that has run for a while.
  await logInBursts(logger, workload(warmUpRecords));
  await new Promise((resolve) => logger.flush(resolve));
  const connectMilliseconds = performance.now() - begun;

  const read = startClocks();
  const callMilliseconds = task.paced
    ? await logInBursts(logger, records, pacedBurst, () => wait(pacedPauseMs))
    : await logInBursts(logger, records);
  // Handing the last lines to the worker is part of the cost; what the worker does with them is not.
  if ('writableNeedDrain' in transport && transport.writableNeedDrain)
    await once(transport, 'drain');
  const measured = read();
  transport.end();
  await once(transport, 'close');
  const delivered = task.to === 'file' ? await linesIn(task.file) : (stats?.acknowledged ?? 0);
  return {
    ...measured,
    connectMilliseconds,
    callMilliseconds,
    delivered: delivered - warmUpRecords,
  };
});

async function linesIn(file: string): Promise<number> {
  return (await readFile(file, 'utf8')).split('\n').length - 1;
}
