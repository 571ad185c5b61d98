/** One file that grows: what is new in it, also after it was emptied. */
import { constants, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Bytes that are read at a time. */
const chunkBytes = 256 * 1024;

/** So many bytes before the place are read again each time: where they are others, the file was emptied and has grown anew. */
const overlapBytes = 64;

/** How far back the beginning of an unfinished last line is looked for, in bytes. */
const lineLookback = 64 * 1024;

const newline = 0x0a;

export class FollowedFile {
  readonly #handle: FileHandle;
  readonly #identity: string;
  #position = 0;
  #before = Buffer.alloc(0);

  private constructor(handle: FileHandle, identity: string) {
    this.#handle = handle;
    this.#identity = identity;
  }

  /** Rejects with what the file system says. */
  static async open(path: string, from: 'start' | 'end'): Promise<FollowedFile> {
    // A pipe that has come to have the name would hold this until it has a writer.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error('it is no file that grows');
      const file = new FollowedFile(handle, identityOf(stat));
      if (from === 'end') await file.#goToLastLine(stat.size);
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes up to where it is read. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that it has now. Throws what the file system says. */
  get size(): number {
    return fstatSync(this.#handle.fd).size;
  }

  isSameAs(stat: { readonly dev: number; readonly ino: number }): boolean {
    return this.#identity === identityOf(stat);
  }

  /**
   * What came since the last time; null where the file was emptied in between: then the next answer begins at its beginning.
   * An empty answer is the file's present end.
   */
  async readNext(): Promise<Buffer | null> {
    const overlap = this.#before.length;
    const buffer = Buffer.allocUnsafe(overlap + chunkBytes);
    const at = this.#position - overlap;
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
    if (bytesRead < overlap || !buffer.subarray(0, overlap).equals(this.#before)) {
      this.#goTo(0, Buffer.alloc(0));
      return null;
    }
    const end = at + bytesRead;
    const kept = Math.max(0, bytesRead - overlapBytes);
    this.#goTo(end, Buffer.from(buffer.subarray(kept, bytesRead)));
    return buffer.subarray(overlap, bytesRead);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Behind the last newline: a line whose end is still to come is shipped whole. */
  async #goToLastLine(size: number): Promise<void> {
    const length = Math.min(size, lineLookback);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(buffer, 0, length, size - length);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(newline);
    const end = last === -1 && size > lineLookback ? bytesRead : last + 1;
    const before = buffer.subarray(Math.max(0, end - overlapBytes), end);
    this.#goTo(size - length + end, Buffer.from(before));
  }

  #goTo(position: number, before: Buffer): void {
    this.#position = position;
    this.#before = Buffer.from(before);
  }
}

function identityOf({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}
