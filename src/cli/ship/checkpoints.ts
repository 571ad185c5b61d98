/** How many bytes of the input the brokers have, told by how many of its records they have. */

export class Checkpoints {
  readonly #ahead: { readonly records: number; readonly bytes: number }[] = [];
  #bytes = 0;

  /** So many records had been made of the first so many bytes. */
  note(records: number, bytes: number): void {
    this.#ahead.push({ records, bytes });
  }

  /** Batches are acknowledged in any order: near the end of what is read, it is an estimate. */
  bytesOf(settledRecords: number): number {
    for (let [next] = this.#ahead; next && next.records <= settledRecords; [next] = this.#ahead) {
      this.#bytes = next.bytes;
      this.#ahead.shift();
    }
    return this.#bytes;
  }
}
