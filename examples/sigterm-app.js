// Ends properly on SIGTERM and Ctrl-C, as under Docker, Kubernetes and systemd. Without a handler the process
// dies at once, and with it what its worker has not sent yet.
//
//   node examples/sigterm-app.js TOPIC
import pino from 'pino';

const logger = pino(
  pino.transport({
    target: 'diaspora-logger/pino',
    options: {
      topic: process.argv[2] ?? process.env.DIASPORA_TOPIC,
      // Keep it below the 10 s that Pino waits for its worker, and that with Pino's below the grace period.
      closeTimeoutMs: 8_000,
    },
  }),
);

let ticks = 0;
const work = setInterval(() => logger.info({ ticks: ++ticks }, 'working'), 100);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    clearInterval(work);
    logger.info({ signal, ticks }, 'stopping');
    // With Pino's worker, exit() waits until everything is delivered, or closeTimeoutMs is over.
    process.exit(0);
  });
}

console.log('running');
