/** What is still to be read of a topic whose reading has an end. */
import type { ConsumedRecord } from './consumed-record.ts';
import type { PartitionRange } from './topic-offsets.ts';

export class Remaining {
  /** Offset behind the last record, by partition. */
  readonly #ends: ReadonlyMap<number, bigint>;
  /** Offset of the next record of each partition that is not read to its end. */
  readonly #next: Map<number, bigint>;

  constructor(partitions: readonly PartitionRange[]) {
    const some = partitions.filter(({ start, end }) => start < end);
    this.#ends = new Map(some.map(({ partition, end }) => [partition, end]));
    this.#next = new Map(some.map(({ partition, start }) => [partition, start]));
  }

  get isEmpty(): boolean {
    return this.#next.size === 0;
  }

  /** Those that are not read to their ends. */
  get partitions(): Iterable<number> {
    return this.#next.keys();
  }

  has(partition: number): boolean {
    return this.#next.has(partition);
  }

  /** Whether the record was there when the reading began. */
  includes({ partition, offset }: Pick<ConsumedRecord, 'partition' | 'offset'>): boolean {
    return offset < (this.#ends.get(partition) ?? 0n);
  }

  /**
   * All before this offset has been read. Answers whether that is news. It never goes back: a place behind the last
   * record may be told before its reader is done with that record.
   */
  pass(partition: number, next: bigint): boolean {
    const before = this.#next.get(partition);
    if (before === undefined || next <= before) return false;
    if (next < (this.#ends.get(partition) ?? 0n)) this.#next.set(partition, next);
    else this.#next.delete(partition);
    return true;
  }

  /** As it stands in the middle of a sentence. */
  get text(): string {
    const places = [...this.#next].map(
      ([partition, next]) =>
        `${partition} from ${next} to ${(this.#ends.get(partition) ?? 0n) - 1n}`,
    );
    return `the offsets of ${places.length > 1 ? 'partitions' : 'partition'} ${places.join(', ')} are`;
  }
}
