/** Decides whether open sockets keep the process alive. */
import type { Socket } from 'node:net';

/** All sockets of one cluster. They keep the process alive only between `ref()` and `unref()`. */
export class ProcessHold {
  readonly #sockets = new Set<Socket>();
  #held = false;

  add(socket: Socket): void {
    this.#sockets.add(socket);
    this.#apply(socket);
    // A host with several addresses gets a new, referenced handle for each that is tried.
    socket.on('connectionAttempt', () => this.#apply(socket));
    socket.once('connect', () => this.#apply(socket));
    socket.once('close', () => this.#sockets.delete(socket));
  }

  ref(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.ref();
  }

  unref(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.unref();
  }

  /** Resolves when every socket is closed. */
  async closed(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
  }

  #apply(socket: Socket): void {
    if (this.#held) socket.ref();
    else socket.unref();
  }
}
