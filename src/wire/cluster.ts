/** The brokers of one cluster: one connection each, made when it is needed, and where topics are led. */
import { performance } from 'node:perf_hooks';
import { createSecureContext, type ConnectionOptions as TlsOptions } from 'node:tls';
import { certificateLife } from '../broker-faults.ts';
import { within } from '../deadline.ts';
import { type DiagnosticCode, type Diagnostics, diagnosticCodes } from '../diagnostics.ts';
import {
  AuthenticationError,
  ConfigurationError,
  ConnectionError,
  DiasporaError,
} from '../errors.ts';
import type { Api } from './api.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';
import type { Connection } from './connection.ts';
import { brokerError } from './error-table.ts';
import { LastingFailures } from './lasting-failures.ts';
import { openConnection } from './open-connection.ts';
import { OpenSockets } from './open-sockets.ts';
import { type MetadataReply, metadata as metadataApi } from './requests/metadata.ts';
import type { SignIn } from './sign-in.ts';

export type { BrokerAddress } from './broker-address.ts';
export type { SignIn } from './sign-in.ts';

export interface ClusterOptions {
  /**
   * Any of the cluster's brokers, or what stands in front of them. Tried all at once. A function is asked each time that
   * no connection is left; what it rejects with is what the request rejects with.
   */
  readonly bootstrapBrokers: readonly BrokerAddress[] | (() => Promise<readonly BrokerAddress[]>);
  /** Name of this client, as brokers log it. */
  readonly clientId: string;
  /** Null: plain TCP. The server name is `tls.servername`, else the host, unless that is an address. */
  readonly tls: TlsOptions | null;
  readonly signIn: SignIn | null;
  /** Called for each connection that is ready: it has signed in. Default: nobody is told. */
  readonly onReady?: () => void;
  /** Deadline of a request that gives none, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Deadline of each of bootstrap brokers, token, TCP, TLS and sign-in, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  readonly diagnostics: Diagnostics;
}

/** One topic as a broker describes it. */
export interface TopicMetadata {
  readonly clusterId: string | null;
  readonly topic: string;
  /** Kafka's own text form, base64url; null where the broker does not tell (before Kafka 2.8). */
  readonly topicId: string | null;
  /** Sorted by id. `leader` is null while there is none. */
  readonly partitions: readonly { readonly id: number; readonly leader: number | null }[];
}

/** Metadata is small and fast: a broker that does not answer it in so many milliseconds, once it is its turn, is not worth waiting for. */
const metadataTimeoutMs = 10_000;
/** Refusals by a broker; other failures to sign in are the token source's, and said by it. */
const brokersOwn: ReadonlySet<string> = new Set(['TOKEN_REFUSED_BY_BROKER', 'SIGN_IN_REFUSED']);
/** Known brokers that are tried beside the bootstrap ones when no connection is left. */
const knownBrokersTried = 4;

/** A connection to one address, or the attempt to make one. */
interface Slot {
  readonly address: BrokerAddress;
  readonly abort: AbortController;
  /** `performance.now()` at the start of the attempt. */
  readonly startedAt: number;
  readonly opening: Promise<Connection>;
  connection: Connection | null;
  /** Whether a request asked for this broker, rather than for any. */
  named: boolean;
}

/** Connections are shared by all callers; requests on one connection are pipelined. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #tls: TlsOptions | null;
  readonly #connectTimeoutMs: number;
  readonly #sockets = new OpenSockets();
  readonly #failures = new LastingFailures();
  readonly #slots = new Map<string, Slot>();
  #bootstrap: readonly BrokerAddress[] = [];
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  #race: Promise<Connection> | null = null;
  readonly #closing = new AbortController();

  /** Throws `ConfigurationError` where certificate or key cannot be used. */
  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#tls = options.tls === null ? null : withContext(options.tls);
  }

  /** Whether a connection is open now. Brokers close idle ones: false says nothing about their health. */
  get connected(): boolean {
    return [...this.#slots.values()].some(({ connection }) => connection?.open);
  }

  /**
   * Fresh metadata from any broker. Throws `BrokerError` (`UNKNOWN_TOPIC_OR_PARTITION`,
   * `TOPIC_AUTHORIZATION_FAILED`, `LEADER_NOT_AVAILABLE` and the like), `ConnectionError` and
   * `AuthenticationError`.
   */
  async metadata(topic: string): Promise<TopicMetadata> {
    const timeoutMs = Math.min(this.#options.requestTimeoutMs, metadataTimeoutMs);
    const reply = await this.request(null, metadataApi, { topics: [topic] }, { timeoutMs });
    this.#learn(reply);
    const found = reply.topics.find(({ name }) => name === topic);
    if (found === undefined) throw brokerError(3, `Topic ${topic} is missing from the metadata`);
    if (found.errorCode !== 0) throw brokerError(found.errorCode, `Metadata of topic ${topic}`);
    const partitions = found.partitions
      .map(({ id, leader }) => ({ id, leader }))
      .toSorted((a, b) => a.id - b.id);
    // Partitions are numbered from 0 without gaps: records given to one that is not there would wait for ever.
    if (partitions.some(({ id }, index) => id !== index)) {
      throw brokerError(5, `Metadata of topic ${topic} leaves partitions out`);
    }
    return { clusterId: reply.clusterId, topic, topicId: found.topicId, partitions };
  }

  /**
   * Sends one request to a broker, by its id from metadata, or to any for null. Throws
   * `ConnectionError`, whose `sent` is false where the request was certainly not written, and
   * `AuthenticationError`; the request was not sent then.
   */
  async request<Body, Reply>(
    broker: number | null,
    api: Api<Body, Reply>,
    body: Body,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<Reply> {
    const { timeoutMs = this.#options.requestTimeoutMs } = options;
    const connection = broker === null ? await this.#any() : await this.#leader(broker);
    const reply = await connection.request(api, body, { timeoutMs });
    this.#failures.answered(connection.broker);
    return reply;
  }

  /** Destroys every connection and resolves when all are gone. Outstanding requests reject. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const slot of this.#slots.values()) {
      slot.abort.abort();
      slot.connection?.destroy();
    }
    await this.#sockets.allClosed();
  }

  #leader(broker: number): Promise<Connection> {
    const address = this.#brokers.get(broker);
    if (address === undefined) {
      const message = `No address is known of broker ${broker}: the metadata is out of date.`;
      return Promise.reject(new ConnectionError('BROKER_UNREACHABLE', message, false));
    }
    const slot = this.#slot(address);
    slot.named = true;
    return slot.opening;
  }

  /** An open connection, the least busy; else the first of all brokers that answers. */
  #any(): Promise<Connection> {
    const open = [...this.#slots.values()].flatMap(({ connection }) =>
      connection?.open ? [connection] : [],
    );
    const [best] = open.toSorted((a, b) => a.outstanding - b.outstanding);
    if (best !== undefined) return Promise.resolve(best);
    this.#race ??= this.#first().finally(() => {
      this.#race = null;
    });
    return this.#race;
  }

  async #first(): Promise<Connection> {
    this.#bootstrap = await this.#askBootstrap();
    const slots = this.#candidates().map((address) => this.#slot(address));
    try {
      const winner = await Promise.any(slots.map(({ opening }) => opening));
      // Those that lost are given up, unless a request waits for one of them by name.
      for (const slot of slots) {
        if (slot.named || slot.connection === winner) continue;
        slot.abort.abort();
        slot.connection?.retire();
      }
      return winner;
    } catch (error) {
      const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
      if (this.#closing.signal.aborted) throw closedError();
      slots.forEach((slot, index) => {
        if (!slot.named) this.#report(errors[index], slot);
      });
      throw mostTelling(errors);
    }
  }

  async #askBootstrap(): Promise<readonly BrokerAddress[]> {
    const { bootstrapBrokers, diagnostics } = this.#options;
    if (typeof bootstrapBrokers !== 'function') return bootstrapBrokers;
    const timeoutMs = this.#connectTimeoutMs;
    return within(bootstrapBrokers(), {
      timeoutMs,
      late: () => {
        const message = `Nobody has told within ${timeoutMs} ms where the brokers are. Check the network and the Diaspora service, or set bootstrapBrokers.`;
        diagnostics.emit('SERVICE_UNAVAILABLE', message);
        return new AuthenticationError('SERVICE_UNAVAILABLE', message, true);
      },
      signal: this.#closing.signal,
      aborted: closedError,
    });
  }

  #slot(address: BrokerAddress): Slot {
    const key = addressText(address);
    const known = this.#slots.get(key);
    const usable = known?.connection?.open ?? !known?.abort.signal.aborted;
    if (known !== undefined && usable) return known;
    const abort = new AbortController();
    const slot: Slot = {
      address,
      abort,
      startedAt: performance.now(),
      opening: this.#open(address, abort.signal).then(
        (connection) => {
          slot.connection = connection;
          connection.closed.then(() => this.#forget(slot));
          return connection;
        },
        (error: unknown) => {
          this.#forget(slot);
          if (slot.named && !this.#closing.signal.aborted) this.#report(error, slot);
          throw error;
        },
      ),
      connection: null,
      named: false,
    };
    // Whoever waits for it sees the rejection; an attempt that lost has nobody left.
    slot.opening.catch(() => {});
    this.#slots.set(key, slot);
    return slot;
  }

  async #open(address: BrokerAddress, signal: AbortSignal): Promise<Connection> {
    if (this.#closing.signal.aborted) throw closedError();
    const { clientId, signIn, diagnostics } = this.#options;
    let ready = false;
    const { connection, protection } = await openConnection({
      broker: address,
      clientId,
      tls: this.#tls,
      signIn,
      timeoutMs: this.#connectTimeoutMs,
      sockets: this.#sockets,
      signal,
      // Until it is ready its failures are thrown, and said by whoever waits for it.
      report: (code, message, detail, waitedMs = 0) => {
        if (ready && this.#failures.failed(address, code, waitedMs)) {
          diagnostics.emit(code, message, detail);
        }
      },
      announce: (...event) => diagnostics.emit(...event),
    }).catch((error: unknown) => {
      throw this.#explained(error);
    });
    if (signal.aborted) {
      connection.destroy();
      throw closedError();
    }
    ready = true;
    this.#options.onReady?.();
    const how = signIn === null ? 'no sign-in' : signIn.mechanism;
    diagnostics.emit(
      'CONNECTED',
      `Connected to broker ${addressText(address)} (${protection}, ${how}).`,
      { ...address },
    );
    return connection;
  }

  /** What a broker says of the client's certificate, with what that shows itself. */
  #explained(error: unknown): unknown {
    if (!(error instanceof ConnectionError)) return error;
    if (error.code !== 'CLIENT_CERTIFICATE_REFUSED') return error;
    const life = certificateLife(this.#options.tls);
    if (life === null) return error;
    const { code, message, sent, cause } = error;
    return new ConnectionError(code, `${message} ${life}`, sent, { cause });
  }

  #forget(slot: Slot): void {
    const key = addressText(slot.address);
    if (this.#slots.get(key) === slot) this.#slots.delete(key);
  }

  /** Says a failure to connect, unless it may yet pass or is one that the token source has said itself. */
  #report(error: unknown, { address, startedAt }: Slot): void {
    if (!(error instanceof DiasporaError) || !isDiagnosticCode(error.code)) return;
    if (error instanceof AuthenticationError && !brokersOwn.has(error.code)) return;
    if (!this.#failures.failed(address, error.code, performance.now() - startedAt)) return;
    this.#options.diagnostics.emit(error.code, error.message, { ...address });
  }

  #candidates(): BrokerAddress[] {
    const known = [...this.#brokers.values()]
      .map((address) => ({ address, rank: Math.random() }))
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, knownBrokersTried)
      .map(({ address }) => address);
    const all = [...this.#bootstrap, ...known];
    return [...new Map(all.map((address) => [addressText(address), address])).values()];
  }

  #learn({ brokers }: MetadataReply): void {
    if (brokers.length === 0) return;
    this.#brokers = new Map(brokers.map(({ id, host, port }) => [id, { host, port }]));
    const known = new Set([...this.#bootstrap, ...this.#brokers.values()].map(addressText));
    for (const [key, { connection }] of this.#slots) {
      if (!known.has(key)) connection?.retire();
    }
  }
}

/** The secure context is made once, and with it an unusable certificate is known at the start. */
function withContext(tls: TlsOptions): TlsOptions {
  try {
    return { ...tls, secureContext: createSecureContext(tls) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigurationError(
      `tls: certificate, key or authority cannot be used (${why}).`,
      'tls',
      { cause },
    );
  }
}

/** Of several brokers' failures the one that an operator can do most about. */
function mostTelling(errors: readonly unknown[]): unknown {
  const rank = (error: unknown): number => {
    if (error instanceof AuthenticationError) return 0;
    if (!(error instanceof ConnectionError)) return 3;
    return error.code === 'BROKER_UNREACHABLE' || error.code === 'BROKER_HOST_UNKNOWN' ? 2 : 1;
  };
  return errors.toSorted((a, b) => rank(a) - rank(b))[0] ?? closedError();
}

function closedError(): ConnectionError {
  return new ConnectionError('CLOSED', 'The connections to the brokers are closed.', false);
}

function isDiagnosticCode(code: string): code is DiagnosticCode {
  return Object.hasOwn(diagnosticCodes, code);
}
