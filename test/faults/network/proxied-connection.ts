/** One connection through a `TcpProxy`, and what befalls it. */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../stack/server-properties.ts';

export type Direction = 'to server' | 'to client';

/** What becomes of a connection that has lost an answer. */
export type AfterLoss = 'reset' | 'silence';

/** A reset after so many bytes of one direction, counted from the connection's beginning. */
export interface PlannedReset {
  readonly direction: Direction;
  readonly afterBytes: number;
}

/** A planned reset that came to pass. */
export interface Cut extends PlannedReset {
  /** What had come to the proxy until then, so also what followed the last byte that it let through. */
  readonly arrived: Readonly<Record<Direction, Buffer>>;
}

export interface ProxiedConnectionOptions {
  readonly client: Socket;
  readonly server: Address;
  /** How long what arrives now is held, in milliseconds. */
  readonly delayMs: () => number;
  readonly planned: PlannedReset | null;
  readonly onCut: (cut: Cut) => void;
}

export class ProxiedConnection {
  /** Resolves when both sides are closed. */
  readonly closed: Promise<unknown>;
  readonly #options: ProxiedConnectionOptions;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #flows: Readonly<Record<Direction, Flow>>;
  #silent = false;
  #afterLoss: AfterLoss | null = null;

  constructor(options: ProxiedConnectionOptions) {
    const { client } = options;
    const server = connect(options.server);
    this.#options = options;
    this.#client = client;
    this.#server = server;
    this.#flows = { 'to server': new Flow(server), 'to client': new Flow(client) };
    const sides = [
      { from: client, direction: 'to server' },
      { from: server, direction: 'to client' },
    ] as const;
    for (const { from, direction } of sides) {
      from.setNoDelay(true);
      from.on('data', (chunk: Buffer) => this.#receive(direction, chunk));
      // 'close' follows.
      from.on('error', () => {});
      from.on('close', () => {
        if (!this.#silent) this.#flows[direction].end();
      });
    }
    this.closed = Promise.all([closeOf(client), closeOf(server)]);
  }

  /** Handed on in this direction so far. */
  bytes(direction: Direction): number {
    return this.#flows[direction].bytes;
  }

  /** Swallows everything from now on, the end of either side included. */
  silence(): void {
    this.#silent = true;
  }

  /** What the server sends next is lost, and with it the connection. */
  loseAnswer(then: AfterLoss): void {
    this.#afterLoss = then;
  }

  /** The client is told of a reset; the server reads what was handed on to it, and then the end. */
  reset(): void {
    this.#silent = true;
    this.#client.resetAndDestroy();
    this.#flows['to server'].end();
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #receive(direction: Direction, chunk: Buffer): void {
    if (this.#silent) return;
    const { planned, delayMs } = this.#options;
    if (direction === 'to client' && this.#afterLoss) {
      if (this.#afterLoss === 'reset') this.reset();
      else this.silence();
      return;
    }
    const flow = this.#flows[direction];
    if (planned) flow.keep(chunk);
    if (planned?.direction === direction && flow.bytes + chunk.length >= planned.afterBytes) {
      flow.write(chunk.subarray(0, planned.afterBytes - flow.bytes), delayMs());
      void this.#cut(planned);
    } else flow.write(chunk, delayMs());
  }

  async #cut(planned: PlannedReset): Promise<void> {
    this.#silent = true;
    await this.#flows[planned.direction].written();
    const [toServer, toClient] = [this.#flows['to server'].kept, this.#flows['to client'].kept];
    const arrived = { 'to server': toServer, 'to client': toClient };
    this.#options.onCut({ ...planned, arrived });
    this.reset();
  }
}

/** One direction: bytes leave in the order in which they came, whatever the delay was. */
class Flow {
  /** How many were let through. */
  bytes = 0;
  readonly #to: Socket;
  readonly #kept: Buffer[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(to: Socket) {
    this.#to = to;
  }

  get kept(): Buffer {
    return Buffer.concat(this.#kept);
  }

  keep(chunk: Buffer): void {
    this.#kept.push(chunk);
  }

  write(chunk: Buffer, delayMs: number): void {
    this.bytes += chunk.length;
    const dueAt = performance.now() + delayMs;
    this.#last = this.#last.then(async () => {
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      // Called with an error where the side is gone: then there is nobody to hand anything on to.
      await new Promise<void>((resolve) => this.#to.write(chunk, () => resolve()));
    });
  }

  /** Resolves when everything that came has left. */
  written(): Promise<void> {
    return this.#last;
  }

  end(): void {
    void this.#last.then(() => this.#to.end());
  }
}

function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
