/** A TCP server that says what a test wants, or nothing: an endpoint or a proxy that misbehaves. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Called with each connection's first bytes. */
export type Behaviour = (socket: Socket, head: string) => void;

export class RawServer {
  readonly port: number;
  /** The first line of each request. */
  readonly asked: string[] = [];
  /** Connections, in order. */
  readonly sockets: Socket[] = [];
  #waiting: (() => void)[] = [];

  private constructor(port: number) {
    this.port = port;
  }

  /** Starts one that ends with the test. */
  static async start(behave: Behaviour = () => {}): Promise<RawServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const raw = new RawServer(typeof address === 'object' ? (address?.port ?? 0) : 0);
    server.on('connection', (socket) => {
      raw.sockets.push(socket);
      socket.on('error', () => {});
      socket.once('data', (data) => {
        const head = data.toString('latin1');
        raw.asked.push(head.split('\r\n', 1)[0] ?? '');
        behave(socket, head);
        for (const wake of raw.#waiting.splice(0)) wake();
      });
    });
    onTestFinished(() => {
      for (const socket of raw.sockets) socket.destroy();
      server.close();
    });
    return raw;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves once so many requests have come. */
  async requests(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves once every connection has ended. */
  async allClosed(): Promise<void> {
    for (const socket of this.sockets) if (!socket.closed) await once(socket, 'close');
  }
}

/** An HTTP answer as text. */
export function httpAnswer(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): string {
  const all = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n${body}`;
}
