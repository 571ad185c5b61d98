/** Cuts text that comes in arbitrary pieces into lines. */

/**
 * Newline-delimited text in, lines out, without their newlines. A line may be spread over any number
 * of chunks. Lines with nothing in them are left out: Pino writes none, and they carry no record.
 */
export class LineCutter {
  readonly #each: (line: string) => void;
  /** The beginning of a line whose end has not come yet. */
  #rest = '';

  constructor(each: (line: string) => void) {
    this.#each = each;
  }

  push(chunk: string): void {
    let newline = chunk.indexOf('\n');
    if (newline === -1) {
      // The rest grows as a rope, never searched again: a long line in many pieces costs linear time.
      this.#rest += chunk;
      return;
    }
    this.#cut(this.#rest + chunk.slice(0, newline));
    let start = newline + 1;
    for (;;) {
      newline = chunk.indexOf('\n', start);
      if (newline === -1) break;
      this.#cut(chunk.slice(start, newline));
      start = newline + 1;
    }
    this.#rest = chunk.slice(start);
  }

  /** No more chunks: what is left is the last line. */
  end(): void {
    const last = this.#rest;
    this.#rest = '';
    this.#cut(last);
  }

  #cut(line: string): void {
    if (line !== '') this.#each(line);
  }
}
