// A web service with Fastify, whose request log goes to Kafka.
//
//   node examples/fastify-app.js TOPIC [PORT]
//
// Each request makes two records, "incoming request" and "request completed", with the same reqId.
import Fastify from 'fastify';

const [topic = process.env.DIASPORA_TOPIC, port = '3000'] = process.argv.slice(2);
const app = Fastify({
  logger: {
    transport: { target: 'diaspora-logger/pino', options: { topic, keyField: 'reqId' } },
  },
});

app.get('/', async (request) => {
  request.log.info({ celsius: 21.5 }, 'measured');
  return { celsius: 21.5 };
});

// Once the server is closed nothing holds the process, and Pino delivers what is left at its end.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close());

const address = await app.listen({ port: Number(port), host: '127.0.0.1' });
console.log(`listening on ${address}`);
