/** Topics of v1 and of the claim page: each belongs to whoever may do everything with it by its name. */
import type { AccessRights } from './access-rights.ts';
import { type Identity, principalsOf } from './identity.ts';
import type { KafkaTopics } from './kafka-topics.ts';
import { Refusal } from './refusal.ts';
import { Gate, OnePerName } from './waiting-line.ts';

/** What became of a wish: done, or it was so already. */
export type Change = 'success' | 'no-op';

/** A topic that everybody may write to and read from, to try out a connection. */
const connectionTest = '__connection_test';
const connectionTestConfig = { 'retention.ms': '3600000', 'max.message.bytes': '65536' };

/** Claims under way at the same time, and those that may wait. Few are half made when the service is to end. */
const atOnce = 8;
const inLine = 1_000;

/**
 * For how long this process remembers its own claims, in milliseconds: brokers may learn of them a little later. A claim that
 * ends without an answer may have been taken all the same, up to 30 s after it began (two questions), and be seen 10 s later.
 */
const rememberedMs = 60_000;

export class ClaimedTopics {
  readonly #rights: AccessRights;
  readonly #topics: KafkaTopics;
  readonly #line = new OnePerName();
  readonly #gate = new Gate(atOnce, inLine);
  readonly #recent = new Map<string, { readonly principals: string[]; readonly until: number }>();

  constructor(rights: AccessRights, topics: KafkaTopics) {
    this.#rights = rights;
    this.#topics = topics;
  }

  /**
   * Makes the topic the subject's, and makes it at all where there is none. Of several who claim it at
   * the same time one gets it.
   *
   * @throws Refusal where anybody has any right to it, but for its owners: some rights to it make nobody one of them.
   */
  claim(topic: string, identity: Identity): Promise<Change> {
    const principals = principalsOf(identity);
    return this.#changed(topic, async () => {
      const { all, owners } = await this.#rights.matching(topic);
      const isOwn = principals.some((one) => owners.has(one));
      const isFree = all.size === 0 && !this.#hasGone(topic, principals);
      if (!isOwn && !isFree) throw claimedByOthers(topic);
      // Before the topic: whoever knows the topic finds its owner's rights.
      const lacking = principals.filter((one) => !owners.has(one));
      this.#remember(topic, principals);
      if (lacking.length > 0) await this.#rights.grant(lacking, { topic });
      try {
        const made = await this.#topics.create(topic);
        return made || lacking.length > 0 ? 'success' : 'no-op';
      } catch (error) {
        // Nobody owns a name under which there can be no topic.
        if (isFree) await this.#takeBack(topic, principals);
        throw error;
      }
    });
  }

  /** Takes the subject's own rights away. The topic and its records stay, and other owners keep theirs. */
  giveUp(topic: string, identity: Identity): Promise<Change> {
    return this.#changed(topic, async () => {
      // Rights by a prefix stay: they are an administrator's, and to other topics as well.
      const { owners } = await this.#rights.holders({ topic });
      const own = principalsOf(identity).filter((one) => owners.has(one));
      if (own.length === 0) return 'no-op';
      await this.#takeBack(topic, own);
      return 'success';
    });
  }

  /** Names of the subject's topics, in order. */
  async of(identity: Identity): Promise<string[]> {
    const found = await Promise.all(
      principalsOf(identity).map((one) => this.#rights.topicsOf(one)),
    );
    return [...new Set(found.flat())].sort();
  }

  /** Makes the topic for trying out connections, where there is none. */
  ensureConnectionTest(): Promise<void> {
    return this.#line.run(connectionTest, async () => {
      await this.#rights.grantEverybody(connectionTest);
      await this.#topics.create(connectionTest, connectionTestConfig);
    });
  }

  /** Begins no other claims, and answers when none is half made any more. */
  close(): Promise<void> {
    return this.#gate.close();
  }

  #changed(topic: string, change: () => Promise<Change>): Promise<Change> {
    return this.#line.run(topic, () => this.#gate.run(change));
  }

  /** Whether somebody else got it just now, which a broker that was asked may not know yet. */
  #hasGone(topic: string, principals: readonly string[]): boolean {
    const recent = this.#recent.get(topic);
    if (!recent || recent.until <= performance.now()) return false;
    return !principals.some((one) => recent.principals.includes(one));
  }

  async #takeBack(topic: string, principals: readonly string[]): Promise<void> {
    this.#recent.delete(topic);
    await this.#rights.revoke(principals, { topic });
  }

  #remember(topic: string, principals: string[]): void {
    const now = performance.now();
    for (const [name, { until }] of this.#recent) {
      if (until > now) break;
      this.#recent.delete(name);
    }
    this.#recent.delete(topic);
    this.#recent.set(topic, { principals, until: now + rememberedMs });
  }
}

const claimedByOthers = (topic: string): Refusal =>
  new Refusal(
    409,
    'TOPIC_CLAIMED',
    `The topic ${topic} has been claimed by somebody else. Choose another name, or ask its owner.`,
    { field: 'topic_name', kind: 'failure' },
  );
