/** Finds out where each partition goes on, and sends kafkajs's consumer there. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backOff } from '../back-off.ts';
import type { ResolvedConsumer } from '../options.ts';
import { findOffsets } from './find-offsets.ts';
import type { Membership } from './membership.ts';
import type { Ends, Found, Position, Positions, TopicPartition, Unplaced } from './positions.ts';

/** A partition goes on elsewhere, since its log did not hold the place. */
export interface Moved extends Position {
  readonly from: bigint;
  readonly ends: Ends;
}

export interface PlacingOptions {
  readonly options: ResolvedConsumer;
  readonly positions: Positions;
  readonly isPaused: (partition: TopicPartition) => boolean;
  /** Called at each failure, with how many there were in a row. */
  readonly onFailure: (error: unknown, failures: number, waitMs: number) => void;
  readonly onMoved: (moved: Moved) => void;
}

export class Placing {
  readonly #options: PlacingOptions;

  constructor(options: PlacingOptions) {
    this.#options = options;
  }

  /**
   * Nothing is fetched of these partitions until it is known where to go on. Asks until it is, or until that is not
   * wanted any more: one that left the group for it would make all the others stop, too. Never rejects.
   */
  async place(membership: Membership, unplaced: readonly Unplaced[]): Promise<void> {
    const { options, positions, onFailure } = this.#options;
    const { newClient, over } = membership;
    const isWanted = (one: Unplaced): boolean => !over.aborted && positions.isUnplaced(one);
    let left = unplaced.filter(isWanted);
    if (left.length > 0) membership.pause(left);
    for (let failures = 1; left.length > 0; failures += 1) {
      try {
        const take = (one: Unplaced, found: Found): boolean => {
          this.goOn(membership, one, found);
          return isWanted(one);
        };
        await findOffsets({ newClient, options, signal: over }, left, take);
        return;
      } catch (error) {
        left = left.filter(isWanted);
        if (left.length === 0) return;
        const waitMs = Math.ceil(backOff(failures, options.retry));
        onFailure(error, failures, waitMs);
        await sleep(waitMs, undefined, { signal: over }).catch(() => undefined);
        left = left.filter(isWanted);
      }
    }
  }

  goOn(membership: Membership, unplaced: Unplaced, found: Found | null): void {
    if (membership.over.aborted) return;
    const { positions, isPaused, onMoved } = this.#options;
    const offset = positions.place(unplaced, found);
    if (offset === null) return;
    membership.seek({ ...unplaced, offset });
    if (!isPaused(unplaced)) membership.resume([unplaced]);
    const { topic, partition, refused } = unplaced;
    if (refused === undefined || refused === offset || !found?.ends) return;
    onMoved({ topic, partition, offset, from: refused, ends: found.ends });
  }
}
