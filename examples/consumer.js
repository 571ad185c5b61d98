// Reads a topic from its beginning, and ends when nothing came for ten seconds.
//
//   node examples/consumer.js TOPIC GROUP_ID
//
// Run it twice with one group id: the second run goes on where the first one ended. Brokers and sign-in
// come from the environment, as for producer.js.
import { existsSync, realpathSync } from 'node:fs';
import { DiasporaConsumer } from 'diaspora-logger';

const idleMs = 10_000;

/**
 * @param {string} topic
 * @param {string} groupId
 * @returns {Promise<import('diaspora-logger').ConsumedRecord[]>} what was read
 */
export async function runConsumerExample(topic, groupId) {
  const consumer = new DiasporaConsumer({
    topic,
    groupId,
    autoOffsetReset: 'earliest',
    autoCommit: false,
  });
  const idle = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  // Joining a group takes a few seconds: time counts from the moment that it has given out its partitions.
  consumer.on('assigned', (partitions) => {
    console.log(`reading ${partitions.length} partitions`);
    timer ??= setTimeout(() => idle.abort(), idleMs);
  });

  const read = [];
  try {
    for await (const record of consumer.records({ signal: idle.signal })) {
      console.log(`${record.partition}@${record.offset}: ${record.value}`);
      read.push(record);
      timer?.refresh();
    }
    // Tells the group that all of these are done. With autoCommit, the default, this happens by itself.
    await consumer.commit();
    return read;
  } finally {
    clearTimeout(timer);
    await consumer.close();
  }
}

const [, program] = process.argv;
if (program && existsSync(program) && realpathSync(program) === import.meta.filename) {
  const [topic, groupId] = process.argv.slice(2);
  if (!topic || !groupId) throw new Error('Usage: node examples/consumer.js TOPIC GROUP_ID');
  // Not awaited here: a module with a top-level await cannot be loaded by require().
  runConsumerExample(topic, groupId).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
