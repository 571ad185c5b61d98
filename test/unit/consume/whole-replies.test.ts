import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { giveWholeReplies, WholeReplies } from '../../../src/consume/whole-replies.ts';

/** A reply of so many bytes behind its size, all of this value. */
function reply(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(4 + size, value);
  bytes.writeInt32BE(size);
  return bytes;
}

const replies = [reply(4, 1), reply(5, 2), reply(300, 3), reply(4, 4)];
const all = Buffer.concat(replies);

function pieces(size: number): Buffer[] {
  const count = Math.ceil(all.length / size);
  return Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
}

describe('Replies in pieces', () => {
  it.each([1, 2, 3, 4, 5, 7, 8, 9, 100, 1_000])('of %i bytes are put together', (size) => {
    const whole = new WholeReplies();
    const given = pieces(size).map((piece) => whole.add(piece));
    const found = given.filter((bytes) => bytes !== null);
    expect(Buffer.concat(found).equals(all)).toBe(true);
    // Each begins and ends where replies do.
    const ends = [8, 17, 321, 329];
    let at = 0;
    for (const bytes of found) {
      at += bytes.length;
      expect(ends).toContain(at);
    }
  });

  it('that are whole already are handed on as they are', () => {
    const whole = new WholeReplies();
    for (const piece of replies) expect(whole.add(piece)?.buffer).toBe(piece.buffer);
  });

  it.each([3, 0, -1, -(2 ** 31)])('with a size of %i are none', (size) => {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(size);
    const whole = new WholeReplies();
    expect(() => whole.add(Buffer.concat([reply(4, 1), bytes]))).toThrow(RangeError);
  });
});

describe('A socket for kafkajs', () => {
  /** Opened to a server that does this with each connection. */
  async function open(serve: (socket: Socket) => void): Promise<Socket> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      serve(socket);
    });
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    giveWholeReplies(socket);
    return socket;
  }

  it('gives nothing of a reply that was cut off', async () => {
    const socket = await open((peer) =>
      peer.end(Buffer.concat([all, reply(500, 5).subarray(0, 99)])),
    );
    const given: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => void given.push(bytes));
    await once(socket, 'end');
    expect(Buffer.concat(given).equals(all)).toBe(true);
  });

  it('breaks where a size is none', async () => {
    const socket = await open((peer) => peer.write(Buffer.alloc(8)));
    socket.on('data', () => expect.unreachable());
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ message: 'a reply of 0 bytes' });
  });

  it('breaks where its listener throws, and the app does not hear of it', async () => {
    const socket = await open((peer) => peer.write(all));
    const failure = new Error('misread');
    socket.on('data', () => {
      throw failure;
    });
    expect(await once(socket, 'error')).toEqual([failure]);
  });
});
