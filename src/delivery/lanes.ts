/** A topic's lanes, one a partition, made when first asked for. */
import type { Driver } from './driver.ts';
import { Lane } from './lane.ts';

export class Lanes {
  readonly #driver: Driver;
  readonly #byPartition = new Map<number, Lane>();

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  of(partition: number): Lane {
    let lane = this.#byPartition.get(partition);
    if (!lane) {
      lane = new Lane(partition, this.#driver);
      this.#byPartition.set(partition, lane);
    }
    return lane;
  }

  get size(): number {
    return this.#byPartition.size;
  }

  [Symbol.iterator](): IterableIterator<Lane> {
    return this.#byPartition.values();
  }
}
