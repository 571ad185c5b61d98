/** A set of whole numbers, small where they lie close together: a bit each, and nothing for those that are all there. */

/** Numbers of one page. */
const pageSize = 4_096;

interface Page {
  count: number;
  /** Null once the page is full. */
  bits: Uint8Array | null;
}

/** Both ends included. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

export class SequenceSet {
  readonly #pages = new Map<number, Page>();
  #size = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#size;
  }

  /** Infinite where the set is empty. */
  get lowest(): number {
    return this.#lowest;
  }

  /** Infinite, and negative, where the set is empty. */
  get highest(): number {
    return this.#highest;
  }

  /** A whole number from 0 on. False where it was in the set before. */
  add(number: number): boolean {
    const page = this.#pageOf(Math.floor(number / pageSize));
    if (page.bits === null) return false;
    const place = number % pageSize;
    const byte = page.bits[place >> 3] ?? 0;
    const bit = 1 << (place & 7);
    if (byte & bit) return false;
    page.bits[place >> 3] = byte | bit;
    page.count += 1;
    if (page.count === pageSize) page.bits = null;
    this.#size += 1;
    this.#lowest = Math.min(this.#lowest, number);
    this.#highest = Math.max(this.#highest, number);
    return true;
  }

  /** Ranges of numbers from 0 to the highest that are not in the set, in their order. */
  *gaps(): Generator<NumberRange> {
    let next = 0;
    for (const index of [...this.#pages.keys()].sort((a, b) => a - b)) {
      for (const { from, to } of this.#runs(index)) {
        if (from > next) yield { from: next, to: from - 1 };
        next = to + 1;
      }
    }
  }

  /** Ranges of numbers of that page that are in the set. */
  *#runs(index: number): Generator<NumberRange> {
    const first = index * pageSize;
    const bits = this.#pages.get(index)?.bits ?? null;
    if (bits === null) {
      yield { from: first, to: first + pageSize - 1 };
      return;
    }
    let start = -1;
    for (let place = 0; place <= pageSize; place += 1) {
      const isIn = place < pageSize && ((bits[place >> 3] ?? 0) & (1 << (place & 7))) !== 0;
      if (isIn && start === -1) start = place;
      if (isIn || start === -1) continue;
      yield { from: first + start, to: first + place - 1 };
      start = -1;
    }
  }

  #pageOf(index: number): Page {
    const known = this.#pages.get(index);
    if (known) return known;
    const page = { count: 0, bits: new Uint8Array(pageSize / 8) };
    this.#pages.set(index, page);
    return page;
  }
}
