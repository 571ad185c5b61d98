/** Records in the order they came, cut into batches: sealed ones, and one that is still filling. */
import type { Driver } from './driver.ts';
import { QueuedBatch } from './queued-batch.ts';
import type { LogRecord } from './record.ts';

/** When a batch is full. */
export interface BatchLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

/** Room for a record's own lengths, deltas and attributes; KIP-98's varints take less. */
const recordOverhead = 32;

export class RecordQueue {
  readonly #driver: Driver;
  readonly #sealed: QueuedBatch[] = [];
  /** How many of them have a level as their lowest: many need not be searched for one that none has. */
  readonly #lowestLevels = new Map<number, number>();
  #open: QueuedBatch | null = null;
  #hurried = false;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** Adds a record. Answers the batch that it went into. */
  append(record: LogRecord, limits: BatchLimits, cut: number, deadline: number): QueuedBatch {
    const full = this.#open;
    // A batch belongs to the flush of its first record: an earlier flush must not wait for a later batch in vain.
    if (full && (full.cut > cut || !fits(record, full, limits))) this.seal();
    this.#open ??= new QueuedBatch(this.#driver.newBatch(), performance.now(), cut);
    const open = this.#open;
    open.append(record, deadline);
    if (open.count >= limits.maxRecords || open.bytes >= limits.maxBytes) this.seal();
    return open;
  }

  /** The batch that is filling. */
  get filling(): QueuedBatch | null {
    return this.#open;
  }

  /** Bytes of the batch that is filling. */
  get openBytes(): number {
    return this.#open?.bytes ?? 0;
  }

  /** Closes the batch that is filling. */
  seal(): void {
    if (this.#open) {
      this.#sealed.push(this.#open);
      this.#countLevel(this.#open, 1);
    }
    this.#open = null;
    this.#hurried = false;
  }

  /** The batch that is filling goes out as soon as a lane is free. Until then it goes on filling. */
  hurry(): void {
    this.#hurried = this.#open !== null;
  }

  /** When there will be something to take (`performance.now()` milliseconds); infinite when empty. */
  readyAt(lingerMs: number): number {
    if (this.#sealed.length > 0 || this.#hurried) return 0;
    return this.#open ? this.#open.openedAt + lingerMs : Number.POSITIVE_INFINITY;
  }

  /** The oldest batch that is full, hurried, or has waited long enough. */
  take(now: number, lingerMs: number): QueuedBatch | null {
    if (this.readyAt(lingerMs) > now) return null;
    if (this.#sealed.length === 0) this.seal();
    const batch = this.#sealed.shift() ?? null;
    if (batch) this.#countLevel(batch, -1);
    return batch;
  }

  /** All batches, oldest first. */
  batches(): QueuedBatch[] {
    return this.#open ? [...this.#sealed, this.#open] : [...this.#sealed];
  }

  /** The lowest level of all its records; infinite when empty. */
  get lowestLevel(): number {
    return Math.min(
      this.#open?.lowestLevel ?? Number.POSITIVE_INFINITY,
      ...this.#lowestLevels.keys(),
    );
  }

  /** The batches that have this level as their lowest, oldest first. */
  batchesWithLowest(level: number): QueuedBatch[] {
    const found = this.#lowestLevels.has(level)
      ? this.#sealed.filter(({ lowestLevel }) => lowestLevel === level)
      : [];
    if (this.#open?.lowestLevel === level) found.push(this.#open);
    return found;
  }

  /** The oldest batch, full or not. */
  get oldest(): QueuedBatch | null {
    return this.#sealed[0] ?? this.#open;
  }

  /** Takes a batch out wherever it stands and puts what remains of it, if anything, in its place. */
  replace(batch: QueuedBatch, remains: QueuedBatch | null): void {
    const successor = remains && remains.count > 0 ? remains : null;
    if (batch === this.#open) {
      this.#open = successor;
      return;
    }
    const at = this.#sealed.indexOf(batch);
    if (at < 0) return;
    this.#sealed.splice(at, 1, ...(successor ? [successor] : []));
    this.#countLevel(batch, -1);
    if (successor) this.#countLevel(successor, 1);
  }

  /**
   * Adds the records of a sealed batch to the one before it, where one batch may hold both: what remains of many
   * batches would otherwise take the memory of many, and as many requests. Answers the batch that has grown and by how
   * many bytes; null where none has.
   */
  mergeIntoPrevious(
    batch: QueuedBatch,
    limits: BatchLimits,
  ): { readonly into: QueuedBatch; readonly grownBy: number } | null {
    const at = this.#sealed.indexOf(batch);
    const previous = this.#sealed[at - 1];
    if (!previous || !mayHold(previous, batch, limits)) return null;
    const before = previous.bytes;
    this.#countLevel(previous, -1);
    this.#countLevel(batch, -1);
    previous.take(batch);
    this.#sealed.splice(at, 1);
    this.#countLevel(previous, 1);
    return { into: previous, grownBy: previous.bytes - before };
  }

  #countLevel({ lowestLevel }: QueuedBatch, more: number): void {
    const count = (this.#lowestLevels.get(lowestLevel) ?? 0) + more;
    if (count > 0) this.#lowestLevels.set(lowestLevel, count);
    else this.#lowestLevels.delete(lowestLevel);
  }
}

function fits(record: LogRecord, open: QueuedBatch, limits: BatchLimits): boolean {
  if (open.count === 0) return true;
  const room = limits.maxBytes - open.bytes - recordOverhead;
  // Three bytes a UTF-16 unit is UTF-8's worst case: most records need no exact count.
  const roughly =
    3 * ((record.value?.length ?? 0) + (record.key?.length ?? 0)) + headerBytes(record);
  if (roughly <= room) return true;
  return exactBytes(record.value) + exactBytes(record.key) + headerBytes(record) <= room;
}

function mayHold(previous: QueuedBatch, batch: QueuedBatch, limits: BatchLimits): boolean {
  // The flush of the second one's records must not end before they are settled.
  if (previous.cut > batch.cut) return false;
  // The one whose level gives way first has the other encoded anew with it: that must not be the larger.
  const [first, later] =
    previous.lowestLevel < batch.lowestLevel ? [previous, batch] : [batch, previous];
  if (first.lowestLevel < later.lowestLevel && later.bytes > first.bytes) return false;
  if (previous.count + batch.count > limits.maxRecords) return false;
  return previous.bytes + batch.bytes + batch.count * recordOverhead <= limits.maxBytes;
}

const exactBytes = (part: string | Buffer | null): number =>
  part === null ? 0 : Buffer.byteLength(part);

function headerBytes({ headers }: LogRecord): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += 3 * name.length + 3 * value.length + 10;
  return bytes;
}
