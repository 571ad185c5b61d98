/** Stands in for kafkajs: a group of one member, whose broker does as the test says. */
import type { EachBatchPayload, IHeaders } from 'kafkajs';
import type { ClientEvents } from '../../../src/consume/kafkajs-client.ts';

type Listener = (event: { payload: Record<string, unknown> }) => void;

export const topic = 'logs';

export class ScriptedGroup {
  /** What reached the broker, as `partition:offset`. */
  readonly commits: string[] = [];
  readonly seeks: string[] = [];
  /** What the group has committed, by partition. */
  committed: Record<number, string> = {};
  ends = { low: '0', high: '0' };
  /** Called before a commit is answered. */
  onCommit = async (): Promise<void> => undefined;
  /** Called before it is told what is committed. */
  onLookUp = async (): Promise<void> => undefined;
  /** Called before it is told where the logs begin and end. */
  onEnds = async (): Promise<void> => undefined;
  /** Called before a heartbeat is answered. */
  onHeartbeat = async (): Promise<void> => undefined;
  /** Called before a member has left. */
  onLeave = async (): Promise<void> => undefined;
  /** How many memberships have begun. */
  memberships = 0;
  /** kafkajs answers without asking the broker while it stops. */
  stopping = false;
  /** What ends joining: kafkajs tells it as a crash, and `run()` resolves all the same. */
  refusal: Error | null = null;
  /** How many clients have had their connections broken. */
  disconnected = 0;
  readonly #listeners = new Map<string, Listener>();
  #eachBatch: ((payload: EachBatchPayload) => Promise<void>) | null = null;
  #initialized = false;
  #events: ClientEvents = {};

  /** As `createClient` answers it. */
  readonly client = {
    kafka: { consumer: () => this.#consumer(), admin: () => this.#admin() },
    disconnect: () => {
      this.disconnected += 1;
    },
  };

  /** The same, for who tells what kafkajs only logs. */
  clientWith(events: ClientEvents = {}): ScriptedGroup['client'] {
    // A look-up has none.
    if (events.onOutOfRange) this.#events = events;
    return this.client;
  }

  /** A broker refuses a fetch, since the log does not hold its offset. */
  outOfRange(partition: number): void {
    this.#events.onOutOfRange?.({ topic, partition });
  }

  /** The group gives out these partitions. */
  assign(...partitions: number[]): void {
    this.#emit('group_join', { memberAssignment: { [topic]: partitions } });
  }

  rebalancing(): void {
    this.#emit('rebalancing', {});
  }

  /** A request has its answer. */
  answered(): void {
    this.#emit('network.request', {});
  }

  /** kafkajs is about to fetch. */
  fetching(): void {
    this.#emit('fetch_start', {});
  }

  /** A request was sent at this time, in milliseconds since the epoch, and has had no answer in time. */
  requestTimedOut(sentAt: number, apiName = 'Fetch'): void {
    this.#emit('network.request_timeout', { broker: 'broker:9092', apiName, sentAt });
  }

  /**
   * Hands over what a fetch has brought; resolves when that is done with. `lastOffset` is that of the last record, or of
   * the mark behind it.
   */
  async fetched(
    partition: number,
    messages: readonly Message[],
    lastOffset = messages.at(-1)?.offset ?? -1,
  ): Promise<string[]> {
    const resolved: string[] = [];
    const payload = {
      batch: {
        topic,
        partition,
        messages: messages.map(messageOf),
        lastOffset: () => String(lastOffset),
      },
      resolveOffset: (offset: string) => void resolved.push(offset),
      heartbeat: async () => {
        await this.onHeartbeat();
        this.answered();
      },
      isRunning: () => true,
      isStale: () => false,
    };
    await this.#eachBatch?.(payload as unknown as EachBatchPayload);
    return resolved;
  }

  #emit(name: string, payload: Record<string, unknown>): void {
    this.#listeners.get(`consumer.${name}`)?.({ payload });
  }

  #consumer(): object {
    this.memberships += 1;
    return {
      on: (name: string, listener: Listener) => this.#listeners.set(name, listener),
      connect: async () => undefined,
      subscribe: async () => undefined,
      run: async ({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }) => {
        const { refusal } = this;
        if (refusal) return this.#emit('crash', { error: refusal });
        this.#eachBatch = eachBatch;
        this.#initialized = true;
        this.assign(0, 1);
      },
      commitOffsets: async (offsets: readonly { partition: number; offset: string }[]) => {
        if (this.stopping) return;
        await this.onCommit();
        this.commits.push(...offsets.map(({ partition, offset }) => `${partition}:${offset}`));
        this.#emit('commit_offsets', {});
      },
      seek: ({ partition, offset }: { partition: number; offset: string }) => {
        if (!this.#initialized) throw new Error('Consumer group was not initialized');
        this.seeks.push(`${partition}:${offset}`);
      },
      pause: () => undefined,
      resume: () => undefined,
      disconnect: () => this.onLeave(),
    };
  }

  #admin(): object {
    return {
      on: () => undefined,
      connect: async () => undefined,
      disconnect: async () => undefined,
      fetchOffsets: async () => {
        await this.onLookUp();
        const offsetOf = (partition: number): string => this.committed[partition] ?? '-1';
        const partitions = [0, 1].map((partition) => ({ partition, offset: offsetOf(partition) }));
        return [{ topic, partitions }];
      },
      fetchTopicOffsets: async () => {
        await this.onEnds();
        return [0, 1].map((partition) => ({ partition, ...this.ends }));
      },
    };
  }
}

interface Message {
  readonly offset: number;
  readonly headers?: unknown;
}

function messageOf({ offset, headers = {} }: Message): object {
  const value = Buffer.from(String(offset));
  return { offset: String(offset), key: null, value, headers: headers as IHeaders, timestamp: '1' };
}
