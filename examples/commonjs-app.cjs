// The same in CommonJS: Pino's target by name, and the package itself by require().
//
//   node examples/commonjs-app.cjs TOPIC
const pino = require('pino');
const { DiasporaLogger } = require('diaspora-logger');

/** @param {string} topic */
async function main(topic) {
  const logger = pino(pino.transport({ target: 'diaspora-logger/pino', options: { topic } }));
  logger.info('from CommonJS, by Pino');

  const producer = new DiasporaLogger();
  await producer.send(topic, { message: 'from CommonJS, directly' });
  await producer.close();
}

const topic = process.argv[2] ?? process.env.DIASPORA_TOPIC;
if (!topic) throw new Error('Usage: node examples/commonjs-app.cjs TOPIC');
main(topic);
