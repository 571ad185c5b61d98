/** A model of Kafka's rules for stamps, for tests that need thousands of faults in a second. */
import fc from 'fast-check';
import type {
  Answer,
  Batch,
  DeliveryRecord,
  Driver,
  Failure,
  LastStamp,
  Outcome,
  Part,
  Stamp,
  Topology,
} from '../../../src/delivery/driver.ts';

/** What happens to one request. The broker's own refusals come on top. */
export type Fault = 'none' | 'request lost' | 'answer lost' | 'retriable' | 'refused';

/** For property tests: one request in three is well. */
export const anyFault = fc.constantFrom<Fault>(
  'none',
  'none',
  'request lost',
  'answer lost',
  'retriable',
  'refused',
);

interface StoredBatch {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

interface ProducerState {
  epoch: number;
  /** Kafka remembers five (ProducerStateEntry.NUM_BATCHES_TO_RETAIN). */
  batches: StoredBatch[];
}

export interface StoredRecord {
  readonly value: string;
  readonly key: string | null;
}

const sequences = 2 ** 31;

class ModelPartition {
  readonly records: StoredRecord[] = [];
  readonly producers = new Map<bigint, ProducerState>();

  append(batch: ArrayBatch, stamp: Stamp | null): Outcome {
    const state = stamp && this.producers.get(stamp.producerId);
    if (stamp && state) {
      const refusal = refusalOf(stamp, batch.count, state);
      if (refusal) return refusal;
    }
    const offset = this.records.length;
    for (const { key, value } of batch.items) {
      this.records.push({ key: key === null ? null : String(key), value: String(value) });
    }
    if (stamp) this.#remember(stamp, batch.count, offset);
    return { kind: 'acknowledged', baseOffset: BigInt(offset), logAppendTime: null };
  }

  #remember(stamp: Stamp, count: number, offset: number): void {
    const first = stamp.baseSequence;
    const stored = { first, last: (first + count - 1) % sequences, offset };
    const state = this.producers.get(stamp.producerId);
    if (state?.epoch === stamp.epoch) state.batches = [...state.batches, stored].slice(-5);
    else this.producers.set(stamp.producerId, { epoch: stamp.epoch, batches: [stored] });
  }

  lastStamp(producerId: bigint): LastStamp | null {
    const state = this.producers.get(producerId);
    const last = state?.batches.at(-1);
    return state && last ? { epoch: state.epoch, lastSequence: last.last } : null;
  }
}

function refusalOf(stamp: Stamp, count: number, state: ProducerState): Outcome | null {
  const { epoch, baseSequence } = stamp;
  if (epoch < state.epoch) return failure('fenced');
  if (epoch > state.epoch) return baseSequence === 0 ? null : failure('sequenceLost');
  const lastSequence = (baseSequence + count - 1) % sequences;
  const repeat = state.batches.find(
    ({ first, last }) => first === baseSequence && last === lastSequence,
  );
  if (repeat) {
    return { kind: 'acknowledged', baseOffset: BigInt(repeat.offset), logAppendTime: null };
  }
  const last = state.batches.at(-1)?.last ?? -1;
  return (last + 1) % sequences === baseSequence ? null : failure('sequenceLost');
}

const failure = (kind: Exclude<Outcome['kind'], 'acknowledged'>) =>
  ({
    kind,
    code: null,
    message: `the model says ${kind}`,
  }) satisfies Outcome;

export class ArrayBatch implements Batch {
  readonly items: DeliveryRecord[] = [];
  released = false;

  get count(): number {
    return this.items.length;
  }

  get bytes(): number {
    return this.items.reduce((sum, { value, key }) => sum + size(value) + size(key) + 20, 61);
  }

  append(record: DeliveryRecord): void {
    if (this.released) throw new Error('a released batch was written to');
    // As the real one: only what Kafka stores comes out of it again.
    const { key, value, headers, timestamp } = record;
    this.items.push({ key, value, headers, timestamp });
  }

  records(): DeliveryRecord[] {
    if (this.released) throw new Error('a released batch was read');
    return [...this.items];
  }

  release(): void {
    if (this.released) throw new Error('a batch was released twice');
    this.released = true;
    this.items.length = 0;
  }
}

const size = (part: string | Buffer | null): number =>
  part === null ? 0 : Buffer.byteLength(part);

export class ModelBroker implements Driver {
  partitions: ModelPartition[];
  topicId = 'first';
  maxBytes = Number.POSITIVE_INFINITY;
  givesProducerIds = true;
  mayDescribe = true;
  closed = false;
  /** Decides each request's fate: called once a part. */
  fault: (part: Part) => Fault = () => 'none';
  /**
   * What the broker says to each part instead of judging it, one entry a part; undefined lets it judge.
   * `lost` stores the part and loses the answer.
   */
  script: (Exclude<Outcome['kind'], 'acknowledged'> | 'lost' | undefined)[] = [];
  /** What a refusal adds. */
  refusal: Partial<Failure> = {};
  /** Overrides what the leader knows of a producer id. */
  known: ((part: Part) => LastStamp | null) | null = null;
  /** The part that was sent last. */
  lastPart: Part | null = null;
  /** Partitions that nobody leads. */
  leaderless: ReadonlySet<number> = new Set();
  topologies = 0;
  requests = 0;
  /** Resolves before a leader answers what it knows. */
  knowing: Promise<void> = Promise.resolve();
  /** Called before each request is answered. */
  onSend: (parts: readonly Part[]) => void = () => {};
  /** Values that the broker finds invalid. */
  invalid: ReadonlySet<string> = new Set();
  latestTime = Number.POSITIVE_INFINITY;
  #nextProducerId = 1000n;
  /** Partitions with a request in flight, to see that no lane ever has two. */
  readonly #inFlight = new Set<number>();

  constructor(partitions = 3) {
    this.partitions = Array.from({ length: partitions }, () => new ModelPartition());
  }

  newBatch(): ArrayBatch {
    return new ArrayBatch();
  }

  async topology(): Promise<Answer<Topology>> {
    await tick();
    this.topologies += 1;
    const partitions = this.partitions.map((_, id) => ({
      id,
      leader: this.leaderless.has(id) ? null : id % 2,
    }));
    return { ok: true, value: { topicId: this.topicId, partitions } };
  }

  async initProducerId(): Promise<Answer<{ producerId: bigint; epoch: number } | null>> {
    await tick();
    if (!this.givesProducerIds) return { ok: true, value: null };
    this.#nextProducerId += 1n;
    return { ok: true, value: { producerId: this.#nextProducerId, epoch: 0 } };
  }

  async send(_broker: number, parts: readonly Part[]): Promise<readonly Outcome[]> {
    for (const { partition } of parts) {
      if (this.#inFlight.has(partition)) throw new Error('two batches in flight in one lane');
      this.#inFlight.add(partition);
    }
    await tick();
    this.requests += 1;
    this.onSend(parts);
    const outcomes = parts.map((part) => this.#receive(part));
    for (const { partition } of parts) this.#inFlight.delete(partition);
    return outcomes;
  }

  #receive(part: Part): Outcome {
    const { partition, batch, stamp } = part;
    const log = this.partitions[partition];
    if (!(batch instanceof ArrayBatch) || !log) return failure('retriable');
    this.lastPart = part;
    const said = this.script.shift();
    if (said === 'lost') {
      log.append(batch, stamp);
      return failure('unknown');
    }
    if (said) return { ...failure(said), ...this.refusal };
    const fault = this.fault(part);
    if (fault === 'request lost') return failure('unknown');
    if (fault === 'retriable' || fault === 'refused') return { ...failure(fault), ...this.refusal };
    const outcome = this.#judge(log, batch, stamp);
    return fault === 'answer lost' ? failure('unknown') : outcome;
  }

  #judge(log: ModelPartition, batch: ArrayBatch, stamp: Stamp | null): Outcome {
    if (batch.bytes > this.maxBytes) return failure('tooLarge');
    if (batch.items.some(({ value }) => this.invalid.has(String(value)))) return failure('invalid');
    if (batch.items.some(({ timestamp }) => timestamp > this.latestTime)) return failure('clock');
    return log.append(batch, stamp);
  }

  async lastStamp(
    _broker: number,
    partition: number,
    producerId: bigint,
  ): Promise<Answer<{ permitted: boolean; known: LastStamp | null }>> {
    await tick();
    await this.knowing;
    const known =
      this.known && this.lastPart
        ? this.known(this.lastPart)
        : (this.partitions[partition]?.lastStamp(producerId) ?? null);
    return { ok: true, value: { permitted: this.mayDescribe, known } };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** Deletes the topic and makes it again. */
  recreate(partitions: number): void {
    this.topicId = `${this.topicId}+`;
    this.partitions = Array.from({ length: partitions }, () => new ModelPartition());
  }

  addPartitions(count: number): void {
    for (let index = 0; index < count; index += 1) this.partitions.push(new ModelPartition());
  }

  /** Values in the topic, partition by partition. */
  values(): string[] {
    return this.partitions.flatMap(({ records }) => records.map(({ value }) => value));
  }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
