/** The package's encoder, delivery and wire in one thread, fed with ready lines: no Pino. */
import { contestant, startClocks } from '../contestant.ts';
import { packageOptions, type Task } from '../task.ts';
import { batchRecords, lines, nextTurn } from '../workload.ts';

const common = { key: null, headers: [], level: 30, partition: null };

await contestant(async (task) => {
  const records = lines(task.records).map((value) => ({ ...common, value, timestamp: Date.now() }));
  const { openShipper, resolveTransport, createDiagnostics } = await load(task);
  const begun = performance.now();
  const shipper = openShipper(resolveTransport(packageOptions(task)), createDiagnostics('stderr'));
  shipper.write({ ...common, value: 'the first record', timestamp: Date.now() });
  await shipper.flush();
  const connectMilliseconds = performance.now() - begun;

  const read = startClocks();
  for (let start = 0; start < records.length; start += batchRecords) {
    for (const record of records.slice(start, start + batchRecords)) shipper.write(record);
    await nextTurn();
  }
  const { acknowledged } = await shipper.flush({ timeoutMs: 60_000 });
  const measured = read();
  await shipper.close();
  return { ...measured, connectMilliseconds, delivered: acknowledged - 1 };
});

/** The compiled package, as users run it. */
async function load({ packageUrl }: Task) {
  const connect: typeof import('../../src/produce/connect.ts') = await import(
    new URL('produce/connect.js', packageUrl).href
  );
  const options: typeof import('../../src/options.ts') = await import(
    new URL('options.js', packageUrl).href
  );
  const diagnostics: typeof import('../../src/diagnostics.ts') = await import(
    new URL('diagnostics.js', packageUrl).href
  );
  return { ...connect, ...options, ...diagnostics };
}
