// Sends records to a topic, first one after the other, then many at once.
//
//   node examples/producer.js TOPIC
//
// Brokers and sign-in come from the environment: DIASPORA_BOOTSTRAP and DIASPORA_REFRESH, and for a
// local stack DIASPORA_ISSUER and DIASPORA_CA_FILE.
import { existsSync, realpathSync } from 'node:fs';
import { DiasporaLogger } from 'diaspora-logger';

/**
 * @param {string} topic
 * @returns {Promise<import('diaspora-logger').RecordMetadata[]>} where each record is
 */
export async function runProducerExample(topic) {
  const logger = new DiasporaLogger();
  try {
    const sent = [];

    // Synchronous: wait for the brokers' word on each record before the next. Simple, in order, and slow.
    for (let i = 1; i <= 3; i += 1) {
      const metadata = await logger.send(topic, { message: `synchronous message ${i}` });
      console.log(`stored in partition ${metadata.partition} at offset ${metadata.offset}`);
      sent.push(metadata);
    }

    // Asynchronous: hand over many, and wait once for all. They travel together, in few requests.
    const promises = [];
    for (let i = 1; i <= 100; i += 1) {
      promises.push(
        logger.send(topic, { message: `asynchronous message ${i}` }, { key: 'example' }),
      );
    }
    sent.push(...(await Promise.all(promises)));
    console.log(`stored ${sent.length} records in all`);
    return sent;
  } finally {
    // Delivers what is left, and lets go of the connections.
    await logger.close();
  }
}

const [, program] = process.argv;
if (program && existsSync(program) && realpathSync(program) === import.meta.filename) {
  const topic = process.argv[2] ?? process.env.DIASPORA_TOPIC;
  if (!topic) throw new Error('Usage: node examples/producer.js TOPIC');
  // Not awaited here: a module with a top-level await cannot be loaded by require().
  runProducerExample(topic).catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
