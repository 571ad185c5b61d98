/** Cuts text that comes in arbitrary pieces into lines. */
import { constants } from 'node:buffer';

/** Receives each line, or is told of one that is too long. */
export interface CutReceiver {
  line(line: string): void;
  /** In place of a line that is longer than the cutter keeps, with its beginning. */
  tooLong(beginning: string): void;
}

/** Of a line that is too long, enough to tell whose it is. */
const beginningLength = 1_024;

const carriageReturn = 0x0d;

/**
 * Newline-delimited text in, lines out, without their newlines, be they LF or CRLF. A line may be spread
 * over any number of chunks. Lines with nothing in them are left out: Pino writes none, and they carry no record.
 */
export class LineCutter {
  /** The longest line that is kept, in UTF-16 units. */
  readonly maxLength: number;
  readonly #receiver: CutReceiver;
  /** The beginning of a line whose end has not come yet. */
  #rest = '';
  /** That line is too long: what comes up to its end is left out. */
  #skipping = false;

  constructor(receiver: CutReceiver, maxLength: number) {
    this.#receiver = receiver;
    // No string is longer, with room for a newline.
    this.maxLength = Math.min(maxLength, constants.MAX_STRING_LENGTH - 1);
  }

  push(chunk: string): void {
    let newline = chunk.indexOf('\n');
    if (newline === -1) {
      this.#keep(chunk);
      return;
    }
    this.#keep(chunk.slice(0, newline));
    this.end();
    let start = newline + 1;
    for (;;) {
      newline = chunk.indexOf('\n', start);
      if (newline === -1) break;
      this.#cut(chunk.slice(start, newline));
      start = newline + 1;
    }
    this.#keep(chunk.slice(start));
  }

  /** The line at hand ends here, such as the last one, which may have no newline. */
  end(): void {
    const last = this.#rest;
    this.#rest = '';
    this.#skipping = false;
    this.#cut(last);
  }

  #keep(part: string): void {
    if (this.#skipping) return;
    if (this.#rest.length + part.length <= this.maxLength) {
      // The rest grows as a rope, never searched again: a long line in many pieces costs linear time.
      this.#rest += part;
      return;
    }
    const beginning = this.#rest.slice(0, beginningLength) + part.slice(0, beginningLength);
    this.#rest = '';
    this.#skipping = true;
    this.#receiver.tooLong(beginning);
  }

  #cut(line: string): void {
    if (line.length > this.maxLength) {
      this.#receiver.tooLong(line.slice(0, beginningLength));
      return;
    }
    const content = line.charCodeAt(line.length - 1) === carriageReturn ? line.slice(0, -1) : line;
    if (content !== '') this.#receiver.line(content);
  }
}
