// A reader that writes each record to a file, and commits only then: node storing-app.mjs OPTIONS
// What goes between it and its parent is in ../driving/storing-app.ts.
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiasporaConsumer } from 'diaspora-logger';
import { endWithParent, leaveParent } from './parent.mjs';

const { journal, reading, commitEvery, diesAt } = JSON.parse(process.argv[2]);
const file = openSync(journal, 'a');
const consumer = new DiasporaConsumer({ ...reading, autoCommit: false });

/** It is on the disk when this returns. */
function note(entry) {
  const at = String(process.hrtime.bigint());
  writeSync(file, `${JSON.stringify({ at, pid: process.pid, ...entry })}\n`);
  fsyncSync(file);
}

const die = () => process.kill(process.pid, 'SIGKILL');

async function read() {
  let count = 0;
  for await (const record of consumer) {
    const { partition, offset, value } = record;
    note({ stored: [partition, String(offset)], value: String(value) });
    count += 1;
    const isLast = count === diesAt?.record;
    if (isLast && diesAt.step === 'stored') die();
    if (count % commitEvery !== 0) continue;
    const committing = consumer.commit(record);
    if (isLast) {
      committing.catch(() => undefined);
      await sleep(diesAt.afterMs);
      die();
    }
    try {
      await committing;
      note({ committed: [partition, String(offset + 1n)] });
    } catch {
      // The group shares its partitions anew: whoever has this one now stores the record once more.
    }
  }
}

endWithParent();
process.on('message', async ({ id }) => {
  await consumer.close();
  process.send({ id });
  leaveParent();
});
consumer.on('assigned', (partitions) => {
  note({ assigned: partitions.map(({ partition }) => partition) });
});
consumer.once('assigned', () => process.send({ id: 0 }));
await read();
