/** The sockets of one kafkajs client: opened as kafkajs does itself, and broken all at once. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import { giveWholeReplies } from './whole-replies.ts';

/** When an idle connection is first probed, in milliseconds: kafkajs's own. */
const keepAliveMs = 60_000;

export class Sockets {
  readonly #onOpening: () => void;
  readonly #sockets = new Set<net.Socket>();
  #destroyed = false;

  constructor(onOpening: () => void) {
    this.#onOpening = onOpening;
  }

  readonly open: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.#destroyed) throw new Error('this connection is given up');
    this.#onOpening();
    const socket = ssl
      ? tls.connect({ host, port, ...(!net.isIP(host) && { servername: host }), ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    giveWholeReplies(socket);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  };

  /** No more are opened afterwards: kafkajs itself has no bound for how long it takes to end. */
  destroy(): void {
    this.#destroyed = true;
    for (const socket of this.#sockets) {
      // kafkajs takes an error for the end of what waits for an answer, and may have stopped listening.
      socket.on('error', () => undefined);
      socket.destroy(new Error('this connection is given up'));
    }
  }
}
