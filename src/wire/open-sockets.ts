/** All sockets of one cluster: none keeps the process alive, and closing waits for each. */
import type { Socket } from 'node:net';

export class OpenSockets {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.unref();
    // A host with several addresses gets a new, referenced handle for each that is tried.
    socket.on('connectionAttempt', () => socket.unref());
    socket.once('connect', () => socket.unref());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Resolves when every socket is closed. */
  async allClosed(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
  }
}
