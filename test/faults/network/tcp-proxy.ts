/** A proxy between clients and a server: hands bytes on, and does to them what a faulty network does. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { Address } from '../../../stack/server-properties.ts';
import {
  type AfterLoss,
  type Cut,
  type Direction,
  type PlannedReset,
  ProxiedConnection,
} from './proxied-connection.ts';

/** Plain TCP: what goes through it may be encrypted. */
export class TcpProxy {
  /** Where clients connect to. */
  readonly port: number;
  /** What reaches the proxy from now on leaves it so many milliseconds later, in either direction. */
  delayMs = 0;
  /** The planned resets that came to pass. */
  readonly cuts: Cut[] = [];
  readonly #listener: Server;
  readonly #server: Address;
  readonly #connections = new Set<ProxiedConnection>();
  #latest: ProxiedConnection | null = null;
  #planned: PlannedReset[] = [];
  #silent = false;

  private constructor(listener: Server, port: number, server: Address) {
    this.#listener = listener;
    this.port = port;
    this.#server = server;
  }

  /** `server`: where clients are led to. */
  static async start(server: Address): Promise<TcpProxy> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const bound = listener.address();
    const port = typeof bound === 'object' ? (bound?.port ?? 0) : 0;
    const proxy = new TcpProxy(listener, port, server);
    listener.on('connection', (client) => {
      const connection = new ProxiedConnection({
        client,
        server: proxy.#server,
        delayMs: () => proxy.delayMs,
        planned: proxy.#planned.shift() ?? null,
        onCut: (cut) => proxy.cuts.push(cut),
      });
      if (proxy.#silent) connection.silence();
      proxy.#connections.add(connection);
      proxy.#latest = connection;
      connection.closed.then(() => proxy.#connections.delete(connection));
    });
    return proxy;
  }

  /** Bytes that the connection which was made last has handed on in this direction. */
  latestBytes(direction: Direction): number {
    return this.#latest?.bytes(direction) ?? 0;
  }

  /** Swallows everything until `speak`, and keeps all connections open. */
  silence(): void {
    this.#silent = true;
    for (const connection of this.#connections) connection.silence();
  }

  /** Ends the silence for new connections. The others stay dead: what they lost never comes. */
  speak(): void {
    this.#silent = false;
  }

  /**
   * Each connection that is open hands on what the client sends, and loses the server's next answer; then it is reset, or
   * silent for good.
   */
  loseAnswers(then: AfterLoss): void {
    for (const connection of this.#connections) connection.loseAnswer(then);
  }

  /**
   * Plans a reset for each of the next connections: after so many bytes of this direction, counted from its beginning. Takes
   * the place of what was planned before.
   */
  resetNext(direction: Direction, afterBytes: readonly number[]): void {
    this.#planned = afterBytes.map((bytes) => ({ direction, afterBytes: bytes }));
  }

  /** Resets every connection now. */
  resetAll(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Ends every connection, and takes no more. */
  close(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.destroy();
  }
}
