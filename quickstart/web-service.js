/**
 * A small web service: Fastify, logging through Pino's worker into the topic. `POST /lines` logs each line of
 * the body, and Fastify logs each request. Ends on SIGTERM, and prints what it logged as one line of JSON.
 */
import { once } from 'node:events';
import Fastify from 'fastify';
import pino from 'pino';

const transport = pino.transport({
  target: 'diaspora-logger/pino',
  options: { sourceHeaders: true },
});
let logged = 0;
const logger = pino(
  {
    hooks: {
      logMethod(args, method) {
        logged += 1;
        method.apply(this, args);
      },
    },
  },
  transport,
);
let stats = null;
transport.on('stats', (latest) => {
  stats = latest;
});

const app = Fastify({ loggerInstance: logger });
app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) =>
  done(null, body),
);
app.post('/lines', async (request) => {
  const lines = String(request.body).split('\n');
  for (const line of lines) request.log.info(line);
  return { logged: lines.length };
});

process.once('SIGTERM', async () => {
  // A transport that ends does not keep its process alive by itself.
  const alive = setInterval(() => {}, 1_000);
  await app.close();
  transport.end();
  await once(transport, 'close');
  clearInterval(alive);
  process.stdout.write(`${JSON.stringify({ logged, stats })}\n`);
});

process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
