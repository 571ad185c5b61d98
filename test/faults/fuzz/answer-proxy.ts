/** A proxy before an HTTP server that hands requests on as they are, and spoils answers as a seed decides. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  changeBytes,
  cutEnd,
  dropPiece,
  extremeByte,
  flipBit,
  insertBytes,
  type Mutation,
  repeatPiece,
} from './mutations.ts';
import type { Random } from './seeds.ts';

/** What goes to the client in an answer's place, and what becomes of the connection after it. */
interface Delivery {
  readonly bytes: Buffer;
  readonly after: 'end' | 'reset' | 'silence';
}

export interface AnswerFuzzOptions {
  readonly random: Random;
  /** So many answers are spoilt; all that come after are whole. */
  readonly answers: number;
}

/** Spoils the answers to one client. */
export class AnswerFuzz {
  /** What the client was sent, whole answers included. */
  readonly sent: Buffer[] = [];
  spoilt = 0;
  /** Other refresh tokens that could be some, not told: nobody can see that they are not the issuer's, and the good one gives way to them. */
  withheld = 0;
  readonly #random: Random;
  #left: number;

  constructor({ random, answers }: AnswerFuzzOptions) {
    this.#random = random;
    this.#left = answers;
  }

  get over(): boolean {
    return this.#left === 0;
  }

  deliver(answer: Buffer): Delivery {
    const delivery = this.#decide(answer);
    this.sent.push(delivery.bytes);
    return delivery;
  }

  #decide(answer: Buffer): Delivery {
    if (this.over) return { bytes: answer, after: 'end' };
    this.#left -= 1;
    this.spoilt += 1;
    const random = this.#random;
    let bytes = random.pick(spoilers)(answer, random);
    while (namesOtherRefreshToken(answer, bytes)) {
      this.withheld += 1;
      bytes = random.pick(spoilers)(answer, random);
    }
    return { bytes, after: random.pick(['end', 'end', 'end', 'reset', 'silence']) };
  }
}

function namesOtherRefreshToken(answer: Buffer, told: Buffer): boolean {
  const [truth] = refreshTokensIn(answer);
  return refreshTokensIn(told).some((token) => token !== truth && /^[\x21-\x7e]+$/.test(token));
}

function refreshTokensIn(answer: Buffer): string[] {
  return textsIn(answer, 'refresh_token');
}

/** The values of a field of JSON that somebody could read in an answer. */
export function textsIn(answer: Buffer, field: string): string[] {
  const whole = answer.toString('utf8');
  // Chunk lengths stand between the pieces of a body.
  const joined = whole.replace(/\r\n[\da-f]+\r\n/g, '');
  const texts = new RegExp(`"${field}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*")`, 'g');
  return [whole, joined].flatMap((text) =>
    [...text.matchAll(texts)].flatMap(([, json]) => {
      try {
        return [String(JSON.parse(json ?? ''))];
      } catch {
        return [];
      }
    }),
  );
}

/** Anywhere in the answer, and where its parts matter most. */
const anywhere: readonly [Mutation, ...Mutation[]] = [
  flipBit,
  changeBytes,
  extremeByte,
  cutEnd,
  dropPiece,
  repeatPiece,
  insertBytes,
];

const spoilers: readonly [Mutation, ...Mutation[]] = [
  (answer, random) => random.pick(anywhere)(answer, random),
  (answer, random) => inPart(answer, 'status line', random.pick(anywhere), random),
  (answer, random) => inPart(answer, 'headers', random.pick(anywhere), random),
  (answer, random) => inPart(answer, 'body', random.pick(anywhere), random),
  (answer, random) => inBodyOfSameLength(answer, random),
  (answer, random) => withOtherStatus(answer, random),
  (answer, random) => inChunks(answer, random),
  (answer) => Buffer.concat([answer, answer]),
];

interface Parts {
  readonly statusLine: Buffer;
  /** With the empty line that ends them. */
  readonly headers: Buffer;
  readonly body: Buffer;
}

function partsOf(answer: Buffer): Parts {
  const line = answer.indexOf('\r\n') + 2;
  const body = answer.indexOf('\r\n\r\n') + 4;
  return {
    statusLine: answer.subarray(0, line),
    headers: answer.subarray(line, body),
    body: answer.subarray(body),
  };
}

function inPart(
  answer: Buffer,
  part: 'status line' | 'headers' | 'body',
  mutation: Mutation,
  random: Random,
): Buffer {
  const { statusLine, headers, body } = partsOf(answer);
  return Buffer.concat([
    part === 'status line' ? mutation(statusLine, random) : statusLine,
    part === 'headers' ? mutation(headers, random) : headers,
    part === 'body' ? mutation(body, random) : body,
  ]);
}

/** Under headers that fit it: what comes through is the body's to tell. */
function inBodyOfSameLength(answer: Buffer, random: Random): Buffer {
  return inPart(answer, 'body', random.pick([flipBit, changeBytes, extremeByte]), random);
}

function withOtherStatus(answer: Buffer, random: Random): Buffer {
  const { headers, body } = partsOf(answer);
  const status = random.pick([
    100, 101, 102, 204, 301, 304, 400, 401, 404, 418, 429, 500, 503, 999,
  ]);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Other\r\n`), headers, body]);
}

/** The body in chunks (RFC 9112 section 7.1), of which one may have a length that is not its own. */
function inChunks(answer: Buffer, random: Random): Buffer {
  const { statusLine, body } = partsOf(answer);
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const chunk = body.subarray(at, at + 1 + random.integer(body.length));
    at += chunk.length;
    const wrong = random.chance(0.3) ? random.pick([-1, 1, 1_000, 2 ** 40]) : 0;
    chunks.push(Buffer.from(`${(chunk.length + wrong).toString(16)}\r\n`), chunk);
    chunks.push(Buffer.from('\r\n'));
  }
  const headers = 'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  return Buffer.concat([statusLine, Buffer.from(headers), ...chunks, Buffer.from('0\r\n\r\n')]);
}

export class AnswerProxy {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** `upstream`: URL of the server, which ends each connection with its answer when asked to. */
  static async start(upstream: string, fuzz: AnswerFuzz): Promise<AnswerProxy> {
    const { hostname, port } = new URL(upstream);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const ownPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const proxy = new AnswerProxy(server, `http://127.0.0.1:${ownPort}`);
    server.on('connection', (client) =>
      proxy.#serve(client, connect(Number(port), hostname), fuzz),
    );
    return proxy;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(client: Socket, upstream: Socket, fuzz: AnswerFuzz): void {
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => {
        client.destroy();
        upstream.destroy();
      });
      socket.on('close', () => this.#sockets.delete(socket));
    }
    client.on('data', (chunk) => upstream.write(chunk));
    client.on('close', () => upstream.destroy());
    const answer: Buffer[] = [];
    upstream.on('data', (chunk: Buffer) => answer.push(chunk));
    upstream.on('end', () => {
      const { bytes, after } = fuzz.deliver(Buffer.concat(answer));
      if (after === 'end') client.end(bytes);
      else client.write(bytes, () => after === 'reset' && client.resetAndDestroy());
    });
  }
}
