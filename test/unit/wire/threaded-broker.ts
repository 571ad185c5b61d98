/** A broker in a thread of its own, which answers while the test blocks its own event loop. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { generate } from 'selfsigned';
import type { BrokerAddress } from '../../../src/wire/broker-address.ts';
import { apiVersionsReply } from './scripted-broker.ts';

export interface ThreadedBroker extends BrokerAddress {
  /** Blocks until so many answers have been given over to the kernel, that to ApiVersions included. */
  blockUntilAnswered(count: number): void;
  close(): Promise<unknown>;
}

/** Answers ApiVersions, and everything else with `reply`, at once. */
export async function threadedBroker(reply: Buffer, encrypted = false): Promise<ThreadedBroker> {
  const versions = apiVersionsReply({ version: 3 });
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(program, {
    eval: true,
    workerData: { versions, reply, answered, tls: encrypted ? await certificate() : null },
  });
  const [port] = await once(worker, 'message');
  return {
    host: '127.0.0.1',
    port: Number(port),
    blockUntilAnswered(count) {
      for (;;) {
        const so = Atomics.load(answered, 0);
        if (so >= count) return;
        Atomics.wait(answered, 0, so);
      }
    },
    close: () => worker.terminate(),
  };
}

/** Blocks this thread for so many milliseconds. */
export function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

async function certificate(): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  return { key: made.private, cert: made.cert };
}

/** CommonJS, because a worker's `eval` takes no other. */
const program = `
const { parentPort, workerData } = require('node:worker_threads');
const { versions, reply, answered, tls } = workerData;
const apiVersionsKey = 18;
const serve = (socket) => {
  let received = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE()) {
      const body = received.readInt16BE(4) === apiVersionsKey ? versions : reply;
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 4);
      received.copy(head, 4, 8, 12);
      received = received.subarray(4 + received.readInt32BE());
      socket.write(Buffer.concat([head, body]), () => {
        Atomics.add(answered, 0, 1);
        Atomics.notify(answered, 0);
      });
    }
  });
};
const server = tls ? require('node:tls').createServer(tls, serve) : require('node:net').createServer(serve);
server.on('tlsClientError', () => {});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
