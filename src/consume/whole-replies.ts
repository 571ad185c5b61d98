/** Replies as a socket brings them in pieces, put together: each is its size in four bytes, and as many bytes. */
import type { Socket } from 'node:net';

const sizeBytes = 4;
/** The number of the request that is answered: no reply is shorter. */
const leastSize = 4;

export class WholeReplies {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #needed = sizeBytes;

  /**
   * Answers the replies that are whole with this piece, or null where there is none.
   *
   * @throws RangeError where a size is none that a reply may have.
   */
  add(piece: Buffer): Buffer | null {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#needed) return null;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    let end = 0;
    let next = sizeOf(bytes, end);
    while (end + next <= bytes.length) {
      end += next;
      next = sizeOf(bytes, end);
    }
    const rest = bytes.subarray(end);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    this.#needed = next;
    return end === 0 ? null : bytes.subarray(0, end);
  }
}

/** Of the reply that begins here, its first four bytes included; or these, where not even they are there. */
function sizeOf(bytes: Buffer, start: number): number {
  if (start + sizeBytes > bytes.length) return sizeBytes;
  const size = bytes.readInt32BE(start);
  if (size < leastSize) throw new RangeError(`a reply of ${size} bytes`);
  return sizeBytes + size;
}

/**
 * From here on, this socket's 'data' is whole replies. kafkajs keeps what it has of a reply that was cut off, and takes the
 * first bytes of its next connection for the rest: all that follows is misread.
 */
export function giveWholeReplies(socket: Socket): void {
  const replies = new WholeReplies();
  const { emit } = socket;
  socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    const [piece] = args;
    if (event !== 'data' || !Buffer.isBuffer(piece)) {
      return Reflect.apply(emit, socket, [event, ...args]);
    }
    try {
      const whole = replies.add(piece);
      return whole !== null && Reflect.apply(emit, socket, [event, whole]);
    } catch (error) {
      // What kafkajs makes of a reply that is none would be thrown into the app, too.
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  };
}
