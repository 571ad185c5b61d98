/** How far a consumer has come in each partition. */

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** `offset` is that of the next record, as Kafka's committed offsets are. */
export interface Position extends TopicPartition {
  readonly offset: bigint;
}

/** Positions by topic and partition, and which of them were committed. */
export class Positions {
  readonly #positions = new Map<string, { position: Position; committed: bigint | null }>();

  set(position: Position): void {
    const committed = this.#positions.get(keyOf(position))?.committed ?? null;
    this.#positions.set(keyOf(position), { position, committed });
  }

  delete(partition: TopicPartition): void {
    this.#positions.delete(keyOf(partition));
  }

  /** Forgets the partitions that belong to another member of the group now. */
  keepOnly(assigned: readonly TopicPartition[]): void {
    const kept = new Set(assigned.map(keyOf));
    for (const key of this.#positions.keys()) if (!kept.has(key)) this.#positions.delete(key);
  }

  all(): Position[] {
    return [...this.#positions.values()].map(({ position }) => position);
  }

  uncommitted(): Position[] {
    return [...this.#positions.values()]
      .filter(({ position, committed }) => position.offset !== committed)
      .map(({ position }) => position);
  }

  committed(positions: readonly Position[]): void {
    for (const position of positions) {
      const entry = this.#positions.get(keyOf(position));
      if (entry) entry.committed = position.offset;
    }
  }
}

/** A topic's name holds no colon. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
