// Logs a hundred records by Pino's worker, and ends in the way that is asked for: ends.mjs TOPIC WAY
import pino from 'pino';

const [topic, way] = process.argv.slice(2);
const transport = pino.transport({ target: 'diaspora-logger/pino', options: { topic } });
const logger = pino({ base: null, timestamp: false }, transport);
for (let i = 0; i < 100; i += 1) logger.info({ i });

if (way === 'exits') process.exit(0);
if (way === 'is asked to stop') {
  process.once('SIGTERM', () => process.exit(0));
  setInterval(() => {}, 1_000);
  process.kill(process.pid, 'SIGTERM');
}
