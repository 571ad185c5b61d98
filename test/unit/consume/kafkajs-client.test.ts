/** A broker that takes connections and never answers: kafkajs alone would wait for it as long as its requests may take. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';

it('closes in time, and leaves no connection behind', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : null;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const connected = once(server, 'connection');
  const consumer = new DiasporaConsumer({
    topic: 'logs',
    groupId: 'readers',
    bootstrapBrokers: `127.0.0.1:${port}`,
    auth: { type: 'none' },
    tls: false,
    diagnostics: 'silent',
    requestTimeoutMs: 60_000,
  });
  const [socket] = (await connected) as [Socket];
  socket.resume();
  const disconnected = once(socket, 'close');
  const closed = consumer.close();
  await vi.advanceTimersByTimeAsync(8_000);
  await closed;
  await disconnected;
  // Whatever kafkajs still waits for, it connects no more.
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
});
