/**
 * Reads a topic back with the example consumer, and prints each record as one line of JSON:
 * `{ partition, offset, headers, value }`.
 */
import { runConsumerExample } from 'diaspora-logger/examples';

const [topic = '', groupId = ''] = process.argv.slice(2);
console.log = () => {}; // The example prints every record as it comes.

for (const { partition, offset, headers, value } of await runConsumerExample(topic, groupId)) {
  const named = Object.fromEntries(headers.map(([name, content]) => [name, String(content)]));
  const line = { partition, offset: String(offset), headers: named, value: String(value) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
