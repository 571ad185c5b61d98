/** Clients that cannot be made before somebody else has answered. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';

/** Takes connections, and answers nothing: as Globus Auth and as the Diaspora service. */
async function silentServer(): Promise<{ server: Server; url: string }> {
  const sockets: { destroy(): void }[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` };
}

const environmentOf = (url: string): Record<string, string> => ({
  DIASPORA_ISSUER: url,
  DIASPORA_SERVICE_URL: url,
  DIASPORA_REFRESH: 'refresh',
  DIASPORA_SUBJECT: '0e9dbe08-6b8a-4d6c-9a52-0b6e1c6d2f10',
  DIASPORA_USER_DIR: '/nonexistent',
});

it('A consumer closes at once while it waits for its service key', async () => {
  const { server, url } = await silentServer();
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const [name, value] of Object.entries(environmentOf(url))) vi.stubEnv(name, value);
  const asked = once(server, 'connection');
  const consumer = new DiasporaConsumer({
    topic: 'logs',
    groupId: 'readers',
    auth: { type: 'diaspora' },
    diagnostics: 'silent',
  });
  await asked;
  const begun = performance.now();
  await consumer.close();
  expect(performance.now() - begun).toBeLessThan(1_000);
});

it('A process that reads lives on while its consumer waits for the service key', async () => {
  const { server, url } = await silentServer();
  const app = fileURLToPath(new URL('./waiting-reader.ts', import.meta.url));
  const asked = once(server, 'connection');
  const child = spawn(process.execPath, ['--import', 'tsx', app], {
    env: { PATH: process.env['PATH'], ...environmentOf(url) },
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  await Promise.race([asked, exited]);
  expect(child.exitCode).toBeNull();
  // Long enough for a process that nothing holds to be gone.
  const held = await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 1_000))]);
  expect(held).toBeUndefined();
  child.stdin.end();
  expect((await exited)[0]).toBe(0);
});
