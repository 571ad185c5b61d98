/** A proxy before a broker that hands requests on as they are, and replies as a `ReplyFuzz` will have them. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { frames } from '../../../stack/read-topic.ts';
import type { Address } from '../../../stack/server-properties.ts';
import { type Asked, framed, type ReplyFuzz } from './reply-fuzz.ts';

interface Request extends Asked {
  readonly clientId: string;
}

export class ReplyProxy {
  readonly address: Address;
  /** By client id; clients that are not here get every reply whole. */
  readonly fuzz = new Map<string, ReplyFuzz>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, address: Address) {
    this.#server = server;
    this.address = address;
  }

  /** `broker`: where requests go. */
  static async start(broker: Address): Promise<ReplyProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    const port = typeof bound === 'object' ? (bound?.port ?? 0) : 0;
    const proxy = new ReplyProxy(server, { host: '127.0.0.1', port });
    server.on('connection', (client) => proxy.#serve(client, connect(broker)));
    return proxy;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(client: Socket, broker: Socket): void {
    const requests = new Map<number, Request>();
    const end = (): void => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      // Whatever breaks one side ends the other.
      socket.on('error', end);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    Promise.race([handOn(client, broker, requests), this.#deliver(broker, client, requests)]).then(
      end,
      end,
    );
  }

  async #deliver(broker: Socket, client: Socket, requests: Map<number, Request>): Promise<void> {
    for await (const frame of frames(broker)) {
      const id = frame.readInt32BE();
      const request = requests.get(id);
      requests.delete(id);
      const fuzz = request && this.fuzz.get(request.clientId);
      if (!fuzz) {
        client.write(framed(frame));
        continue;
      }
      const { bytes, after } = fuzz.deliver(request, frame, new Set(requests.keys()));
      client.write(bytes);
      if (after === 'go on') continue;
      if (after === 'reset') client.resetAndDestroy();
      else await new Promise<void>((resolve) => client.end(resolve));
      return;
    }
  }
}

async function handOn(
  client: Socket,
  broker: Socket,
  requests: Map<number, Request>,
): Promise<void> {
  for await (const frame of frames(client)) {
    // Request header 1 (https://kafka.apache.org/protocol#protocol_messages): the client id ends it, or tagged fields come after.
    const clientId = frame.toString('utf8', 10, 10 + Math.max(0, frame.readInt16BE(8)));
    const [key, version, id] = [frame.readInt16BE(0), frame.readInt16BE(2), frame.readInt32BE(4)];
    requests.set(id, { key, version, clientId });
    broker.write(framed(frame));
  }
}
