/** Clients that cannot be made before somebody else has answered. */
import { spawn } from 'node:child_process';
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { writeKey } from '../../../src/auth/stored-key.ts';
import { storeOf } from '../../../src/auth/token-store.ts';
import { openClients } from '../../../src/consume/clients.ts';
import { DiasporaConsumer } from '../../../src/consume/consumer.ts';
import { resolveConsumer, resolveDiaspora, resolveProducer } from '../../../src/options.ts';
import { openCluster } from '../../../src/produce/connect.ts';
import { Reader } from '../../../src/wire/reader.ts';
import { metadata } from '../../../src/wire/requests/metadata.ts';
import { Heard, temporaryDirectory } from '../auth/signed-in.ts';
import {
  body,
  keys,
  metadataReply,
  type ScriptedBroker,
  scriptedBroker,
} from '../wire/scripted-broker.ts';

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
  // What it waits for it gives up after 3 s at the earliest.
  expect(performance.now() - begun).toBeLessThan(2_500);
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

/** Of a broker that takes any SCRAM sign-in with this password, and leads no topic. */
function scramBroker(password: string): Promise<ScriptedBroker> {
  let firstBare = '';
  return scriptedBroker(async ({ key, version, body: sent, socket }) => {
    if (key === keys.metadata) {
      return metadataReply([{ host: '127.0.0.1', port: Number(socket.localPort) }], []);
    }
    if (key === keys.saslHandshake) {
      return body((reply) => {
        reply.int16(0);
        reply.int32(1);
        reply.string('SCRAM-SHA-512');
      });
    }
    const message = new Reader(sent, false).bytes().toString();
    const isFirst = message.startsWith('n,,');
    if (isFirst) firstBare = message.slice(3);
    const salt = Buffer.from('salt');
    const nonce = /r=([^,]*)/.exec(firstBare)?.[1] ?? '';
    const serverFirst = `r=${nonce}more,s=${salt.toString('base64')},i=4096`;
    // RFC 5802, section 3.
    const salted = pbkdf2Sync(password, salt, 4096, 64, 'sha512');
    const serverKey = createHmac('sha512', salted).update('Server Key').digest();
    const signed = `${firstBare},${serverFirst},${message.split(',p=')[0]}`;
    const signature = createHmac('sha512', serverKey).update(signed).digest('base64');
    return body((reply) => {
      reply.int16(0);
      reply.string(null);
      reply.bytes(Buffer.from(isFirst ? serverFirst : `v=${signature}`));
      if (version > 0) reply.int64(0n);
    });
  });
}

/** Attempts to connect, each anew, with what is stored; the attempt fails where nobody answers. */
const attempts: Readonly<
  Record<string, (heard: Heard) => (broker: ScriptedBroker) => Promise<void>>
> = {
  consumer(heard) {
    const options = resolveConsumer({ ...plainV1, topic: 'logs', groupId: 'readers' });
    const clients = openClients(options, heard.diagnostics);
    onTestFinished(() => clients.close());
    return async () => {
      const client = (await clients.ready())();
      const admin = client.kafka.admin({ retry: { retries: 0 } });
      await admin.connect().finally(() => client.disconnect());
    };
  },
  producer(heard) {
    const { cluster, close } = openCluster(resolveProducer(plainV1), heard.diagnostics);
    onTestFinished(close);
    return async (broker) => {
      await cluster.request(null, metadata, { topics: [] });
      for (const socket of broker.sockets) socket.destroy();
      while (cluster.connected) await new Promise(setImmediate);
    };
  },
};

const plainV1 = {
  auth: { type: 'diaspora', apiVersion: 'v1' },
  tls: false,
  allowInsecureToken: true,
} as const;

it.each(Object.keys(attempts))(
  'A %s with a password of v1 is told that nobody answers, and not while somebody does',
  async (kind) => {
    const subject = '0e9dbe08-6b8a-4d6c-9a52-0b6e1c6d2f10';
    const env = {
      DIASPORA_USER_DIR: temporaryDirectory(),
      DIASPORA_SUBJECT: subject,
      DIASPORA_SERVICE_URL: 'http://127.0.0.1:1',
    };
    onTestFinished(() => void vi.unstubAllEnvs());
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const broker = await scramBroker('password');
    onTestFinished(() => broker.close());
    const store = storeOf(resolveDiaspora({}, env, false).globus, env);
    const endpoint = `127.0.0.1:${broker.port}`;
    const key = { secretKey: 'password', accessKey: null, endpoint, createdAt: null };
    await writeKey(store, { apiVersion: 'v1', subject, isOwn: () => false }, key);
    const heard = new Heard();
    const ofEndpoint = () =>
      heard.events.filter(({ message }) => message.includes('the stored service key'));
    const attempt = attempts[kind]?.(heard);
    if (!attempt) throw new Error(`No attempt of a ${kind}`);
    for (let times = 0; times < 5; times += 1) await attempt(broker);
    await broker.close();
    for (let times = 0; times < 3; times += 1) {
      await expect(attempt(broker)).rejects.toThrow(/connect|reached/i);
    }
    expect(ofEndpoint()).toEqual([]);
    await expect(attempt(broker)).rejects.toThrow();
    expect(ofEndpoint()).toHaveLength(1);
    const [{ code, message } = { code: '', message: '' }] = ofEndpoint();
    expect(code).toBe('BROKER_UNREACHABLE');
    expect(message).toContain(`Nobody answers at ${endpoint}: the stored service key`);
    expect(message).toContain('"npx diaspora-logger keys put" with the new --endpoint');
  },
);
