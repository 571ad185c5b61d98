// Writes or reads with the stored service key, and no other configuration than the environment's:
// node diaspora-app.mjs produce v1|v3 TOPIC VALUES, node diaspora-app.mjs consume v1|v3 TOPIC COUNT
import { randomUUID } from 'node:crypto';
import { DiasporaConsumer, DiasporaLogger } from 'diaspora-logger';

const [command, apiVersion, topic, json] = process.argv.slice(2);
const auth = { type: 'diaspora', apiVersion };

const commands = {
  async produce(values) {
    const logger = new DiasporaLogger({ auth });
    await Promise.all(values.map((value) => logger.send(topic, value)));
    await logger.close();
  },

  async consume(count) {
    const groupId = randomUUID();
    const consumer = new DiasporaConsumer({ auth, topic, groupId, autoOffsetReset: 'earliest' });
    const values = [];
    for await (const { value } of consumer) {
      values.push(JSON.parse(String(value)));
      if (values.length === count) break;
    }
    console.log(JSON.stringify(values));
    await consumer.close();
  },
};

await commands[command](JSON.parse(json));
