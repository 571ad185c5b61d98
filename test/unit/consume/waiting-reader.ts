/** Reads with a service key that does not come, and closes when its standard input ends. */
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';

const consumer = new DiasporaConsumer({
  topic: 'logs',
  groupId: 'readers',
  auth: { type: 'diaspora' },
  diagnostics: 'silent',
});
// Holds no process that has nothing else to do.
process.stdin.once('end', () => void consumer.close()).resume();
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
for await (const _ of consumer);
