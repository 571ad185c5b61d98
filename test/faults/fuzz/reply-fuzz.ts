/** Spoils a share of the replies that one client of a broker gets, as a seed decides. */
import { inspect, isDeepStrictEqual } from 'node:util';
import type { Api } from '../../../src/wire/api.ts';
import { decodeReply } from '../../../src/wire/request-frame.ts';
import { apiVersions } from '../../../src/wire/requests/api-versions.ts';
import { describeProducers } from '../../../src/wire/requests/describe-producers.ts';
import { initProducerId } from '../../../src/wire/requests/init-producer-id.ts';
import { metadata } from '../../../src/wire/requests/metadata.ts';
import { produce } from '../../../src/wire/requests/produce.ts';
import {
  changeBytes,
  cutEnd,
  dropPiece,
  extremeByte,
  flipBit,
  insertBytes,
  type Mutation,
  repeatPiece,
} from './mutations.ts';
import type { Random } from './seeds.ts';

/** A request that a reply belongs to. */
export interface Asked {
  readonly key: number;
  readonly version: number;
}

/** What goes to the client in a reply's place, and what becomes of the connection after it. */
export interface Delivery {
  readonly bytes: Buffer;
  readonly after: 'go on' | 'end' | 'reset';
}

export interface ReplyFuzzOptions {
  readonly random: Random;
  /** So many replies may be spoilt; all that come after are whole. */
  readonly replies: number;
  /** How often a length may promise bytes that never come: each costs the client its deadline. */
  readonly waits: number;
}

/** Left whole: a client must get somewhere, to be spoilt for there. */
const wholeShare = 0.4;

/** A broker that asks for more silence than this is obeyed, and the run would take as long; in milliseconds. */
const longestThrottleMs = 200;

/** The content is other, and the length fits it. */
const contentMutations: readonly [Mutation, ...Mutation[]] = [
  flipBit,
  flipBit,
  changeBytes,
  extremeByte,
  dropPiece,
  repeatPiece,
  insertBytes,
];

type Way = 'content' | 'cut' | 'repeat' | 'length';
const ways: readonly [Way, ...Way[]] = [
  'content',
  'content',
  'content',
  'content',
  'cut',
  'repeat',
  'length',
];

/** Acknowledged: 0 is no error, 46 a repeat of what is stored. */
const successes: ReadonlySet<number> = new Set([0, 46]);

export class ReplyFuzz {
  /** Replies that were changed, cut or repeated. */
  spoilt = 0;
  /** Of those, what still made a reply, and another one than the broker's: what is true, and what was told. */
  readonly lies: string[] = [];
  /** Lies about what the leader knows of a producer: repeats may follow that nobody can foresee. */
  falseStamps = 0;
  /** Lies that no client could tell from the truth, not told: see `mustNotBeTold`. */
  withheld = 0;
  readonly #random: Random;
  #left: number;
  #waits: number;

  constructor({ random, replies, waits }: ReplyFuzzOptions) {
    this.#random = random;
    this.#left = replies;
    this.#waits = waits;
  }

  /** Whether all replies are whole from now on. */
  get over(): boolean {
    return this.#left === 0;
  }

  /** `frame` is a reply without its length; `inFlight` the correlation ids of this connection that wait for theirs. */
  deliver(asked: Asked, frame: Buffer, inFlight: ReadonlySet<number>): Delivery {
    const whole: Delivery = { bytes: framed(frame), after: 'go on' };
    if (this.over) return whole;
    this.#left -= 1;
    const random = this.#random;
    if (random.chance(wholeShare)) return whole;
    this.spoilt += 1;
    switch (random.pick(ways)) {
      case 'cut':
        return {
          bytes: cutEnd(whole.bytes, random),
          after: random.pick(['end', 'reset']),
        };
      case 'repeat':
        return { bytes: Buffer.concat([whole.bytes, whole.bytes]), after: 'go on' };
      case 'length':
        return { bytes: this.#withOtherLength(asked, frame), after: 'go on' };
      case 'content':
        return { bytes: framed(this.#withOtherContent(asked, frame, inFlight)), after: 'go on' };
    }
  }

  #withOtherContent(asked: Asked, frame: Buffer, inFlight: ReadonlySet<number>): Buffer {
    for (;;) {
      const changed = this.#random.pick(contentMutations)(frame, this.#random);
      const truth = meaningOf(asked, frame);
      const told = meaningOf(asked, changed);
      const otherId = changed.length >= 4 && changed.readInt32BE() !== frame.readInt32BE();
      // For another request of the same connection: nobody here knows what that would make of it.
      if (otherId && inFlight.has(changed.readInt32BE())) continue;
      if (truth === null || told === null || otherId || isDeepStrictEqual(truth, told)) {
        return changed;
      }
      if (mustNotBeTold(truth, told)) {
        this.withheld += 1;
        continue;
      }
      this.lies.push(`${shown(truth)} became ${shown(told)}`);
      if (asked.key === describeProducers.key) this.falseStamps += 1;
      return changed;
    }
  }

  #withOtherLength(asked: Asked, frame: Buffer): Buffer {
    const random = this.#random;
    const bytes = framed(frame);
    // While a connection opens, its deadline is longer: one wait is as good as another.
    const mayWait = this.#waits > 0 && asked.key !== apiVersions.key;
    if (mayWait && random.chance(0.5)) {
      this.#waits -= 1;
      bytes.writeInt32BE(frame.length + 1 + random.integer(10_000));
    } else {
      const tooShort = random.integer(frame.length);
      const negative = -1 - random.integer(2 ** 31);
      bytes.writeInt32BE(random.pick([tooShort, negative, 0x7fff_ffff]));
    }
    return bytes;
  }
}

/** A reply as the client reads it, and the reply's name. */
interface Meaning {
  readonly produce?: ReturnType<typeof produce.decode>;
  readonly metadata?: ReturnType<typeof metadata.decode>;
  readonly other?: unknown;
  readonly throttleMs: number;
}

/** Null where it cannot be read, or this suite knows no such request. */
function meaningOf({ key, version }: Asked, frame: Buffer): Meaning | null {
  const read = <Reply>(api: Api<never, Reply>): { reply: Reply; throttleMs: number } | null => {
    if (key !== api.key) return null;
    try {
      const reply = decodeReply(api, version, frame);
      return { reply, throttleMs: api.throttleMs?.(reply, version) ?? 0 };
    } catch {
      return null;
    }
  };
  const produced = read(produce);
  if (produced) return { produce: produced.reply, throttleMs: produced.throttleMs };
  const described = read(metadata);
  if (described) return { metadata: described.reply, throttleMs: described.throttleMs };
  const other = read(apiVersions) ?? read(initProducerId) ?? read(describeProducers);
  return other && { other: other.reply, throttleMs: other.throttleMs };
}

function shown(meaning: Meaning): string {
  return inspect(meaning, { depth: 6, breakLength: Number.POSITIVE_INFINITY });
}

/**
 * What no client can see through, or this suite may not bring about: a success that never was (such as an error code
 * turned into 0); another topic's id (the topic was made again, as far as anybody can tell); another
 * host or port (who knows who answers there); a long silence, which clients owe a broker that asks for it.
 */
function mustNotBeTold(truth: Meaning, told: Meaning): boolean {
  if (told.throttleMs > longestThrottleMs) return true;
  if (told.produce) {
    const errors = new Map(truth.produce?.partitions.map((one) => [one.partition, one.errorCode]));
    return told.produce.partitions.some(
      ({ partition, errorCode }) =>
        successes.has(errorCode) && !successes.has(errors.get(partition) ?? 0),
    );
  }
  if (!told.metadata) return false;
  const places = new Set(truth.metadata?.brokers.map(({ host, port }) => `${host}:${port}`));
  const elsewhere = told.metadata.brokers.some(
    ({ host, port }) => port > 0 && port < 65_536 && !places.has(`${host}:${port}`),
  );
  const ids = new Set(truth.metadata?.topics.map(({ topicId }) => topicId));
  return elsewhere || told.metadata.topics.some(({ topicId }) => topicId && !ids.has(topicId));
}

/** With its length before it, as it goes over the wire. */
export function framed(frame: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}
