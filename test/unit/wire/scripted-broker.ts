/** A broker for tests: a real TCP or TLS server that answers as the test scripts it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { BrokerAddress } from '../../../src/wire/broker-address.ts';
import { FrameReader } from '../../../src/wire/frame-reader.ts';
import { Reader } from '../../../src/wire/reader.ts';
import { Writer } from '../../../src/wire/writer.ts';

/** One request as it arrived. */
export interface Arrived {
  readonly key: number;
  readonly version: number;
  readonly id: number;
  readonly clientId: string;
  /** After the header. */
  readonly body: Buffer;
  readonly socket: Socket;
  /** Number of the connection, from 0. */
  readonly connection: number;
}

/** Answers the reply's body, or null to say nothing. */
export type Script = (request: Arrived) => Buffer | null | Promise<Buffer | null>;

export interface ScriptedBroker extends BrokerAddress {
  readonly requests: readonly Arrived[];
  readonly connections: () => number;
  /** Sockets that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Resolves when the nth request (from 1) of this key has arrived. */
  arrived(key: number, nth?: number): Promise<Arrived>;
  close(): Promise<void>;
}

export const keys = {
  produce: 0,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  initProducerId: 22,
  saslAuthenticate: 36,
} as const;

/** Versions that the scripted broker speaks: none that is flexible but ApiVersions, so that bodies are easily written. */
const ranges: readonly (readonly [key: number, min: number, max: number])[] = [
  [keys.produce, 3, 8],
  [keys.metadata, 8, 8],
  [keys.saslHandshake, 0, 1],
  [keys.apiVersions, 0, 3],
  [keys.initProducerId, 0, 1],
  [keys.saslAuthenticate, 0, 1],
];

/** Answers ApiVersions itself; everything else is the script's. */
export async function scriptedBroker(
  script: Script,
  options: { readonly tls?: TlsOptions; readonly versions?: Script; readonly port?: number } = {},
): Promise<ScriptedBroker> {
  const requests: Arrived[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let count = 0;
  const serve = (socket: Socket): void => {
    const connection = count;
    count += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const frames = new FrameReader(2 ** 30);
    let turn: Promise<void> = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        const request = { ...parse(frame), socket, connection };
        requests.push(request);
        for (const wake of waiting) wake();
        const answer =
          request.key === keys.apiVersions ? (options.versions ?? apiVersionsReply) : script;
        // As a real broker: one request of a connection after the other.
        turn = turn.then(async () => {
          const body = await answer(request);
          if (body !== null && socket.writable) socket.write(replyFrame(request.id, body));
        });
      }
    });
  };
  const server: Server =
    options.tls === undefined
      ? createServer(serve)
      : createTlsServer(options.tls, serve).on('tlsClientError', () => {});
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    requests,
    connections: () => count,
    sockets,
    arrived: (key, nth = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = requests.filter((request) => request.key === key)[nth - 1];
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

export function replyFrame(id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 4);
  head.writeInt32BE(id, 4);
  return Buffer.concat([head, body]);
}

/** A body written by a function, without its frame. */
export function body(write: (writer: Writer) => void, flexible = false): Buffer {
  const writer = new Writer(flexible);
  write(writer);
  return Buffer.concat(writer.frame().chunks).subarray(4);
}

export const apiVersionsReply = ({ version }: Pick<Arrived, 'version'>): Buffer =>
  body((writer) => {
    writer.int16(0);
    writer.array(ranges, ([key, min, max]) => {
      writer.int16(key);
      writer.int16(min);
      writer.int16(max);
      writer.tags();
    });
    if (version >= 1) writer.int32(0);
    writer.tags();
  }, version >= 3);

export function metadataReply(
  brokers: readonly BrokerAddress[],
  topics: readonly {
    readonly name: string;
    readonly errorCode?: number;
    readonly leaders?: number[];
  }[],
): Buffer {
  return body((writer) => {
    writer.int32(0);
    writer.array([...brokers.entries()], ([index, { host, port }]) => {
      writer.int32(index + 1);
      writer.string(host);
      writer.int32(port);
      writer.string(null);
    });
    writer.string('cluster');
    writer.int32(1);
    writer.array(topics, ({ name, errorCode = 0, leaders = [] }) => {
      writer.int16(errorCode);
      writer.string(name);
      writer.boolean(false);
      // Out of order, as brokers answer.
      writer.array([...leaders.entries()].toReversed(), ([id, leader]) => {
        writer.int16(leader < 0 ? 5 : 0);
        writer.int32(id);
        writer.int32(leader);
        writer.int32(1);
        for (let list = 0; list < 3; list += 1) writer.array([], () => {});
      });
      writer.int32(0);
    });
    writer.int32(0);
  });
}

export function producerIdReply(producerId: bigint, throttleMs = 0): Buffer {
  return body((writer) => {
    writer.int32(throttleMs);
    writer.int16(0);
    writer.int64(producerId);
    writer.int16(0);
  });
}

export function handshakeReply(errorCode: number, mechanisms: readonly string[]): Buffer {
  return body((writer) => {
    writer.int16(errorCode);
    writer.array(mechanisms, (name) => writer.string(name));
  });
}

export function authenticateReply(reply: {
  readonly errorCode?: number;
  readonly errorMessage?: string | null;
  readonly authBytes?: Buffer;
  readonly lifetimeMs?: number;
}): Buffer {
  return body((writer) => {
    writer.int16(reply.errorCode ?? 0);
    writer.string(reply.errorMessage ?? null);
    writer.bytes(reply.authBytes ?? Buffer.alloc(0));
    writer.int64(BigInt(reply.lifetimeMs ?? 0));
  });
}

/** What a SaslAuthenticate request carries. */
export function authBytes({ body: sent }: Arrived): string {
  return new Reader(sent, false).bytes().toString('utf8');
}

function parse(frame: Buffer): Omit<Arrived, 'socket' | 'connection'> {
  const key = frame.readInt16BE(0);
  const version = frame.readInt16BE(2);
  const id = frame.readInt32BE(4);
  const length = frame.readInt16BE(8);
  const clientId = frame.toString('utf8', 10, 10 + length);
  return { key, version, id, clientId, body: frame.subarray(10 + length) };
}
