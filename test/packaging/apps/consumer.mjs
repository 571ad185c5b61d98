// Reads COUNT records from the beginning of TOPIC, and prints their values.
import { DiasporaConsumer } from 'diaspora-logger';

const [topic, count] = process.argv.slice(2);
const consumer = new DiasporaConsumer({ topic, groupId: topic, autoOffsetReset: 'earliest' });
const values = [];
for await (const { value } of consumer) {
  values.push(String(value));
  if (values.length === Number(count)) break;
}
await consumer.close();
console.log(JSON.stringify(values));
