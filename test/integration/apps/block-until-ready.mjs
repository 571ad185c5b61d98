// Waits until it is ready, says what came of it, and has nothing more to do: it must end by itself.
import { blockUntilReady } from 'diaspora-logger';

process.on('unhandledRejection', (error) => {
  console.log(`unhandled: ${error}`);
});
const isReady = await blockUntilReady(JSON.parse(process.argv[2] ?? '{}'));
console.log(`ready: ${isReady} after ${Math.round(performance.now())} ms`);
process.once('exit', () => console.log(`ended after ${Math.round(performance.now())} ms`));
