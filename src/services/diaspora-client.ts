/** Client of the Diaspora service: topics, keys, and what connects to the brokers. Loads no Kafka client. */
import { waitedFor } from '../auth/waited-for.ts';
import { createDiagnostics } from '../diagnostics.ts';
import { ConfigurationError, DiasporaError } from '../errors.ts';
import { claimTopic } from './claim.ts';
import {
  type DiasporaClientOptions,
  inOwnWords,
  type ResolvedClient,
  resolveClient,
} from './client-options.ts';
import { type ConnectionDetails, detailsOf } from './connection-details.ts';
import { isKeyText } from './key-answer.ts';
import { logOut } from './logout.ts';
import type { ServiceKey } from './service-key.ts';
import { ServiceSession } from './service-session.ts';
import { namespaceOf, unknownSubject } from './subject.ts';
import type { TopicChange, Topics } from './topics.ts';
import { TopicsV1 } from './topics-v1.ts';
import { TopicsV3 } from './topics-v3.ts';

export { AuthenticationError, ConfigurationError, DiasporaError, ServiceError } from '../errors.ts';
export type { DiasporaClientOptions } from './client-options.ts';
export type { ConnectionDetails } from './connection-details.ts';
export type { AccessKey, ApiVersion, ScramKey, ServiceKey } from './service-key.ts';
export type { TopicChange } from './topics.ts';

/**
 * Each method that asks the service throws `ServiceError` with one of the codes `SERVICE_UNAVAILABLE` (retriable: down,
 * slow, or too many requests, after up to four attempts), `SERVICE_REFUSED`, `SERVICE_TOKEN_REFUSED` and
 * `SERVICE_ANSWER_UNUSABLE` (no Diaspora service); `AuthenticationError` where nobody has signed in, no access token can be had, or
 * the token store cannot be used; and `ConfigurationError` for a refresh token of an unknown subject. A call that waits keeps the process alive.
 *
 * @example
 * const client = new DiasporaClient();
 * const { status } = await client.registerTopic('measurements');
 * const topic = `${await client.namespace()}.measurements`;
 * await client.close();
 */
export class DiasporaClient implements AsyncDisposable {
  readonly #options: ResolvedClient;
  readonly #session: ServiceSession;
  readonly #topics: Topics;
  #key: ServiceKey | null = null;

  /** Throws `ConfigurationError`. Asks nothing of anybody yet. */
  constructor(options: DiasporaClientOptions = {}) {
    this.#options = resolveClient(options);
    this.#session = new ServiceSession({
      ...this.#options,
      diagnostics: createDiagnostics(this.#options.diagnostics),
    });
    const subject = (): Promise<string> => this.#subject();
    this.#topics =
      this.#options.auth.apiVersion === 'v3'
        ? new TopicsV3(this.#session.requests, subject)
        : new TopicsV1(this.#session.requests, subject);
  }

  /** Subject of who asks: a UUID. */
  subjectOpenid(): Promise<string> {
    return this.#run(() => this.#subject());
  }

  /** `ns-` and the last twelve hex digits of the subject. v3's Kafka topics are `<namespace>.<topic>`. */
  namespace(): Promise<string> {
    return this.#run(async () => namespaceOf(await this.#subject()));
  }

  /** Makes a topic that is one's own. v3: in one's namespace, which is made where it is missing. */
  registerTopic(topic: string): Promise<TopicChange> {
    return this.#run(() => this.#topics.register(topic));
  }

  /** v3 deletes the topic, and its records with it. */
  unregisterTopic(topic: string): Promise<TopicChange> {
    return this.#run(() => this.#topics.unregister(topic));
  }

  /** Names as they were given to `registerTopic`. */
  listTopics(): Promise<string[]> {
    return this.#run(() => this.#topics.list());
  }

  /** Deletes a topic's records, and makes it anew: takes seconds. `no-op` for one that is not registered. v3 only: else throws `ConfigurationError`. */
  recreateTopic(topic: string): Promise<TopicChange> {
    return this.#run(() => this.#topics.recreate(topic));
  }

  /**
   * Claims a topic as the web form does: letters, digits and underscores, no namespace; written and read with the Globus token
   * as with the key. `no-op` for one's own. The form lists no other topics: `topics` is this one.
   */
  claimTopic(topic: string): Promise<TopicChange> {
    return this.#run(async () => claimTopic(this.#session.requests, await this.#subject(), topic));
  }

  /** A new key, which is stored. Earlier ones end, on other machines as well; brokers may take a minute to know it. */
  createKey(): Promise<ServiceKey> {
    return this.#run(async () => {
      this.#key = await this.#session.keys.create();
      return this.#key;
    });
  }

  /** The present key: cached, stored, or v3's own answer; made where there is none. */
  retrieveKey(): Promise<ServiceKey> {
    return this.#run(() => this.#presentKey());
  }

  /** The stored key's secret; null where none is stored. Asks nothing of the service. */
  getSecretKey(): Promise<string | null> {
    return this.#run(async () => (await this.#session.keys.stored())?.secretKey ?? null);
  }

  /**
   * Stores a key that was made elsewhere. v3's has two parts. `endpoint`: its brokers, `host:port`, several by comma; default those
   * of the key that was stored. Throws `ConfigurationError` where a part is missing, or is no key.
   */
  putSecretKey(
    secretKey: string,
    { accessKey, endpoint }: { readonly accessKey?: string; readonly endpoint?: string } = {},
  ): Promise<void> {
    return this.#run(async () => {
      const { apiVersion } = this.#options.auth;
      if (!isKeyText(secretKey)) throw unfitKey('a secret key', 'secretKey');
      if (apiVersion === 'v3' && !isKeyText(accessKey)) {
        throw unfitKey('the access key that the secret key belongs to, too', 'accessKey');
      }
      if (apiVersion === 'v1' && accessKey !== undefined) {
        throw unfitKey('no access key: v1 has none', 'accessKey');
      }
      this.#key = await this.#session.keys.put({
        secretKey,
        accessKey: accessKey ?? null,
        endpoint: endpoint || null,
        createdAt: null,
      });
    });
  }

  /** What another Kafka client needs. The key is made where there is none. */
  connectionDetails(): Promise<ConnectionDetails> {
    return this.#run(async () => {
      const key = await this.#presentKey();
      const subject = await this.#subject();
      return detailsOf(key, {
        subject,
        namespace: namespaceOf(subject),
        region: this.#options.auth.region,
        named: this.#options.env['DIASPORA_BOOTSTRAP']?.trim(),
      });
    });
  }

  /**
   * Revokes the tokens at Globus Auth, and forgets them and the key on this machine. The key itself stays good on others. Throws
   * `AuthenticationError` where something could not be revoked: it is still there, and the call can be repeated.
   */
  logout(): Promise<void> {
    return this.#run(async () => {
      await logOut(this.#options, this.#session);
      this.#key = null;
      this.#session.forgetSubject();
    });
  }

  /** Ends what is under way. Safe to call twice. */
  async close(): Promise<void> {
    this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #subject(): Promise<string> {
    const subject = await this.#session.subject();
    if (subject === null) throw unknownSubject(this.#options.auth);
    return subject;
  }

  async #presentKey(): Promise<ServiceKey> {
    if (this.#key !== null) return this.#key;
    const key = await this.#session.keys.present();
    // One that was made or put meanwhile is the newer one.
    this.#key ??= key;
    return this.#key;
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#session.isClosed) throw new DiasporaError('CLOSED', 'The client is closed.');
    return waitedFor(action()).catch((error: unknown) => {
      throw inOwnWords(error);
    });
  }
}

const unfitKey = (takes: string, option: string): ConfigurationError =>
  new ConfigurationError(`putSecretKey takes ${takes}.`, option);
