// CommonJS: Pino's worker by the target's name, and the package itself by require().
const pino = require('pino');
const { DiasporaLogger } = require('diaspora-logger');

const topic = process.argv[2];

async function main() {
  const transport = pino.transport({ target: 'diaspora-logger/pino', options: { topic } });
  pino({ base: null, timestamp: false }, transport).info('pino');

  const producer = new DiasporaLogger();
  await producer.send(topic, 'require');
  await producer.close();
}

main();
