// A reader that commits what it has stored: node reading-app.mjs OPTIONS
// What goes between it and its parent is in ../reading-app.ts.
import { DiasporaConsumer } from 'diaspora-logger';
import { endWithParent, leaveParent } from './parent.mjs';

const options = JSON.parse(process.argv[2]);
const consumer = new DiasporaConsumer(options);

/** Of each partition: the next offset that is due, and the last one that the broker has acknowledged as committed. */
const places = new Map();
const counts = { records: 0, skipped: 0, readAgain: 0, committedReadAgain: 0, longestSilenceMs: 0 };
let lastAt = performance.now();
let ends = null;
let reached = () => undefined;

function placeOf(partition) {
  const place = places.get(partition) ?? { next: 0n, committed: 0n };
  places.set(partition, place);
  return place;
}

function acknowledged() {
  const all = [...places].map(([partition, { committed }]) => [partition, committed]);
  return all
    .filter(([, offset]) => offset > 0n)
    .map(([partition, offset]) => [partition, String(offset)]);
}

function isAtEnds() {
  return ends?.every(([partition, end]) => placeOf(partition).next >= end) ?? false;
}

/** One at a time: what is behind is told to the broker once a commit has come back. */
let committing = false;
async function commit(record) {
  if (committing) return;
  committing = true;
  try {
    await consumer.commit(record);
    const place = placeOf(record.partition);
    if (record.offset + 1n > place.committed) place.committed = record.offset + 1n;
  } catch {
    // A rebalance, or a broker that is away: those records may come again.
  } finally {
    committing = false;
  }
}

async function read() {
  let sinceCommit = 0;
  for await (const record of consumer) {
    const now = performance.now();
    counts.longestSilenceMs = Math.max(counts.longestSilenceMs, now - lastAt);
    lastAt = now;
    const place = placeOf(record.partition);
    counts.records += 1;
    if (record.offset > place.next) counts.skipped += Number(record.offset - place.next);
    if (record.offset < place.next) counts.readAgain += 1;
    if (record.offset < place.committed) counts.committedReadAgain += 1;
    if (record.offset >= place.next) place.next = record.offset + 1n;
    sinceCommit += 1;
    if (sinceCommit % 500 === 0) void commit(record);
    if (isAtEnds()) reached();
  }
}

const commands = {
  /** Answers when everything below these offsets was read. */
  until(offsets) {
    ends = offsets.map(([partition, end]) => [partition, BigInt(end)]);
    return new Promise((resolve) => {
      reached = resolve;
      if (isAtEnds()) resolve();
    });
  },
  close: () => consumer.close(),
};

endWithParent();
process.on('message', async ({ id, command, argument }) => {
  await commands[command](argument);
  process.send({ id, ...counts, acknowledged: acknowledged() });
  if (command === 'close') leaveParent();
});
consumer.once('assigned', () => {
  lastAt = performance.now();
  process.send({ id: 0, ...counts, acknowledged: acknowledged() });
});
await read();
