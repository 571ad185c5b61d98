/** One connection to one broker: requests out, replies matched to them, and everything settled exactly once. */
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { deadline } from '../deadline.ts';
import type { DiagnosticCode, DiagnosticDetail } from '../diagnostics.ts';
import { ConnectionError, type DiasporaError } from '../errors.ts';
import type { Api } from './api.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';
import {
  connectionError,
  givenUp,
  type Reason,
  socketFailure,
  wantsTls,
} from './connect-failure.ts';
import { brokerErrorInfo } from './error-table.ts';
import { FrameLengthError, FrameReader } from './frame-reader.ts';
import { decodeReply, encodeRequest } from './request-frame.ts';
import { apiVersions, type VersionRange } from './requests/api-versions.ts';

/** Most bytes that a reply may have. Brokers answer far less; what announces more is not Kafka. */
const maxReplyBytes = 100 * 2 ** 20;

/** Most bytes sent and not yet answered. A single larger request goes alone. */
const maxBytesInFlight = 32 * 2 ** 20;

/**
 * Most milliseconds of silence that a broker is granted at a time. A quota is counted over some seconds (`quota.window.num`); a
 * broker that wants more leaves what comes then unread, and the request's deadline ends the connection.
 */
const longestSilenceMs = 60_000;

/** What brokers log as the client's software (KIP-511). The version is the package's. */
export const software = { softwareName: 'diaspora-logger', softwareVersion: '0.1.0' } as const;

/** Says something about the connection to the operator. `waitedMs` is how long the broker was waited for in vain. */
export type ReportConnection = (
  code: DiagnosticCode,
  message: string,
  detail?: DiagnosticDetail,
  waitedMs?: number,
) => void;

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly broker: BrokerAddress;
  readonly clientId: string;
  readonly encrypted: boolean;
  /** Whether a sign-in comes first: for the hint where a broker hangs up on one that does not. */
  readonly signsIn: boolean;
  /** What the connection has to say once it is in use. Failures while it opens are said by whoever opens it. */
  readonly report: ReportConnection;
}

export interface RequestOptions {
  /**
   * Milliseconds to wait for the reply, from when every earlier request is answered: a broker serves
   * one request of a connection after the other, and may hold a Produce for its replicas. Before
   * that, milliseconds from the call until it must have been sent.
   */
  readonly timeoutMs: number;
  /** Sign-in passes the gate that holds everything else. Default false. */
  readonly urgent?: boolean;
}

interface Pending {
  readonly id: number;
  readonly name: string;
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  readonly timeoutMs: number;
  sent: boolean;
  /** Ends the wait to be sent. */
  stopWaiting: () => void;
  /** Settles with the reply, and answers for how long the broker wants silence. Throws where the reply is malformed. */
  accept(frame: Buffer): number;
  reject(error: Error): void;
}

/** Made over an open socket. Call `negotiate` first. */
export class Connection {
  readonly broker: BrokerAddress;
  /** Resolves once the socket is closed. Never rejects. */
  readonly closed: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(maxReplyBytes);
  readonly #inFlight = new Map<number, Pending>();
  #queue: Pending[] = [];
  /** The oldest request in flight, whose time runs. */
  #head: Pending | undefined;
  #stopHead: () => void = () => {};
  #bytesInFlight = 0;
  #versions: ReadonlyMap<number, VersionRange> = new Map();
  #nextId = 0;
  #replies = 0;
  #requests = 0;
  #held = false;
  #drained: (() => void)[] = [];
  #silentUntil = 0;
  #silence: NodeJS.Timeout | undefined;
  #ended = false;
  #why: Reason;
  #retiring = false;

  constructor(options: ConnectionOptions) {
    const { socket, broker } = options;
    this.#options = options;
    this.#socket = socket;
    this.broker = broker;
    this.#why = givenUp(broker);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.#pump());
    socket.on('error', (error) => this.#broke(error));
    // FIN without an answer: whatever is outstanding will not be answered any more.
    socket.on('end', () => this.#hungUp());
    socket.on('close', () => this.#hungUp());
  }

  /** False once nothing can be sent any more. */
  get open(): boolean {
    return !this.#ended;
  }

  /** Requests begun so far, sign-in not counted. */
  get requests(): number {
    return this.#requests;
  }

  /** Requests that wait for an answer, or to be sent. */
  get outstanding(): number {
    return this.#inFlight.size + this.#queue.length;
  }

  /** Asks the broker which versions it knows. Throws `ConnectionError`. */
  async negotiate(timeoutMs: number): Promise<void> {
    const ask = (
      version: number,
    ): Promise<{ errorCode: number; ranges: ReadonlyMap<number, VersionRange> }> => {
      this.#versions = new Map([[apiVersions.key, { min: version, max: version }]]);
      return this.#send(apiVersions, software, { timeoutMs, urgent: true });
    };
    let reply = await ask(apiVersions.maxVersion);
    const { code } = brokerErrorInfo(reply.errorCode);
    if (code === 'UNSUPPORTED_VERSION') reply = await ask(0);
    if (reply.errorCode !== 0) {
      const name = brokerErrorInfo(reply.errorCode).code;
      throw this.#violation(`it answers ApiVersions with ${name}`, true);
    }
    this.#versions = reply.ranges;
  }

  /**
   * Sends a request and answers its reply. Throws `ConnectionError`, whose `sent` is false only where
   * no byte was written. After a deadline that passed unanswered the connection is destroyed.
   */
  request<Body, Reply>(api: Api<Body, Reply>, body: Body, options: RequestOptions): Promise<Reply> {
    if (!options.urgent) this.#requests += 1;
    return this.#send(api, body, options);
  }

  /** Holds new requests back, and resolves when everything sent is answered or the connection has ended. */
  async hold(): Promise<void> {
    this.#held = true;
    while (this.#inFlight.size > 0 && !this.#ended) {
      await new Promise<void>((resolve) => this.#drained.push(resolve));
    }
  }

  /** Sends what was held back. */
  resume(): void {
    this.#held = false;
    this.#pump();
  }

  /** Ends the connection once nothing is outstanding: its broker has moved away. */
  retire(): void {
    this.#retiring = true;
    if (!this.#busy) this.destroy();
  }

  /** Ends the connection now. Everything outstanding is rejected with `error`, or as closed by this client. */
  destroy(error?: DiasporaError): void {
    this.#end(error ?? givenUp(this.broker), false);
  }

  get #busy(): boolean {
    return this.outstanding > 0;
  }

  #send<Body, Reply>(api: Api<Body, Reply>, body: Body, options: RequestOptions): Promise<Reply> {
    const { timeoutMs, urgent = false } = options;
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(connectionError(this.#why, false));
        return;
      }
      const version = this.#version(api, body);
      const id = this.#nextId;
      this.#nextId = (id + 1) % 2 ** 31;
      const { chunks, bytes } = encodeRequest(api, body, {
        version,
        id,
        clientId: this.#options.clientId,
      });
      const pending: Pending = {
        id,
        name: api.name,
        chunks,
        bytes,
        timeoutMs,
        sent: false,
        stopWaiting: () => {},
        accept: (frame) => {
          const reply = decodeReply(api, version, frame);
          resolve(reply);
          return api.throttleMs?.(reply, version) ?? 0;
        },
        reject,
      };
      if (urgent) {
        this.#write(pending);
        return;
      }
      this.#queue.push(pending);
      this.#pump();
      if (!pending.sent) pending.stopWaiting = deadline(timeoutMs, () => this.#giveUp(pending));
    });
  }

  #version<Body, Reply>(api: Api<Body, Reply>, body: Body): number {
    const range = this.#versions.get(api.key);
    const highest = api.highestVersionFor?.(body) ?? api.maxVersion;
    const version = Math.min(range?.max ?? -1, highest);
    if (range !== undefined && version >= api.minVersion && version >= range.min) return version;
    // What it said once holds for the connection: the next one asks anew, and may meet another broker behind the address.
    if (!api.optional) this.retire();
    const theirs = range === undefined ? 'does not know it' : `takes ${range.min} to ${range.max}`;
    throw new ConnectionError(
      'BROKER_TOO_OLD',
      `This package speaks ${api.name} ${api.minVersion} to ${highest}, and broker ${addressText(this.broker)} ${theirs}. Use a broker of Kafka 2.4 or later.`,
      false,
    );
  }

  #pump(): void {
    while (!this.#ended && !this.#held && !this.#socket.writableNeedDrain) {
      const next = this.#queue[0];
      if (next === undefined || performance.now() < this.#silentUntil) return;
      if (this.#bytesInFlight > 0 && this.#bytesInFlight + next.bytes > maxBytesInFlight) return;
      this.#queue.shift();
      this.#write(next);
    }
  }

  #write(pending: Pending): void {
    pending.stopWaiting();
    pending.sent = true;
    this.#inFlight.set(pending.id, pending);
    this.#bytesInFlight += pending.bytes;
    this.#watchHead();
    this.#socket.cork();
    for (const chunk of pending.chunks) this.#socket.write(chunk);
    this.#socket.uncork();
  }

  #watchHead(): void {
    const [head] = this.#inFlight.values();
    if (head === this.#head) return;
    this.#stopHead();
    this.#head = head;
    if (head) this.#stopHead = deadline(head.timeoutMs, () => this.#timeOut(head));
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const frame of this.#frames.push(chunk)) this.#answer(frame);
    } catch (error) {
      this.#end(this.#nonsense(error), true);
      return;
    }
    this.#watchHead();
    if (this.#inFlight.size === 0) for (const resolve of this.#drained.splice(0)) resolve();
    if (this.#retiring && !this.#busy) this.destroy();
    else this.#pump();
  }

  #answer(frame: Buffer): void {
    const id = frame.readInt32BE();
    const pending = this.#inFlight.get(id);
    if (pending === undefined) throw new Error(`there is no request ${id}`);
    const silenceMs = pending.accept(frame);
    this.#replies += 1;
    this.#inFlight.delete(id);
    this.#bytesInFlight -= pending.bytes;
    if (silenceMs > 0) this.#keepSilent(silenceMs);
  }

  /** The broker does not read from the connection meanwhile (KIP-219). */
  #keepSilent(askedMs: number): void {
    const milliseconds = Math.min(askedMs, longestSilenceMs);
    const until = performance.now() + milliseconds;
    if (until <= this.#silentUntil) return;
    this.#silentUntil = until;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#silentUntil = 0;
      this.#pump();
    }, milliseconds);
    this.#silence.unref();
    this.#options.report(
      'BROKER_THROTTLED',
      `Broker ${addressText(this.broker)} asks for ${askedMs} ms of silence: a quota is used up. Records wait for ${milliseconds} ms.`,
      { ...this.broker, milliseconds },
    );
  }

  /** What was not sent hurts nothing by being given up; what is in flight has a clock of its own. */
  #giveUp(pending: Pending): void {
    const { name, timeoutMs } = pending;
    this.#queue = this.#queue.filter((other) => other !== pending);
    const message = `${name} could not be sent to broker ${addressText(this.broker)} within ${timeoutMs} ms.`;
    pending.reject(connectionError({ code: 'REQUEST_TIMED_OUT', message }, false));
    this.#options.report('REQUEST_TIMED_OUT', message, { ...this.broker });
  }

  #timeOut({ name, timeoutMs }: Pending): void {
    const message = `Broker ${addressText(this.broker)} did not answer ${name} within ${timeoutMs} ms. The connection is closed and made anew.`;
    this.#end({ code: 'REQUEST_TIMED_OUT', message, waitedMs: timeoutMs }, true);
  }

  #broke(error: Error & { readonly code?: string }): void {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.#hungUp();
    else {
      const { broker } = this;
      this.#end(socketFailure(error, { broker, phase: 'open', heard: true }), this.#busy);
    }
  }

  #hungUp(): void {
    if (this.#ended) return;
    const { broker } = this;
    const { encrypted, signsIn } = this.#options;
    if (!encrypted && this.#socket.bytesRead === 0) {
      this.#end(wantsTls(broker, 'it closed the connection'), true);
      return;
    }
    const hint =
      this.#replies === 1 && !signsIn && this.#busy
        ? ' at the first request: most likely it wants a sign-in. Set auth.type'
        : '. It is made anew when needed';
    const message = `Broker ${addressText(broker)} closed the connection${hint}.`;
    // Brokers close idle connections (connections.max.idle.ms): worth a word only where something was lost.
    this.#end({ code: 'CONNECTION_LOST', message }, this.#busy);
  }

  #nonsense(error: unknown): Reason {
    // A TLS alert (RFC 8446, section 6) in place of a length.
    if (error instanceof FrameLengthError && error.bytes[0] === 0x15 && error.bytes[1] === 3) {
      return wantsTls(this.broker, 'it answers with a TLS alert');
    }
    const why = error instanceof Error ? error.message : String(error);
    return {
      code: 'PROTOCOL_VIOLATION',
      message: `Broker ${addressText(this.broker)} answers what is not Kafka's protocol: ${why}. Check that host and port are those of a Kafka broker.`,
    };
  }

  #violation(why: string, sent: boolean): ConnectionError {
    return connectionError(this.#nonsense(new Error(why)), sent);
  }

  #end(why: Reason | DiasporaError, tell: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!(why instanceof Error)) this.#why = why;
    clearTimeout(this.#silence);
    this.#stopHead();
    // First the socket: nothing is read from a request's buffers after this.
    this.#socket.destroy();
    const outstanding = [...this.#inFlight.values(), ...this.#queue];
    this.#inFlight.clear();
    this.#queue = [];
    for (const pending of outstanding) {
      pending.stopWaiting();
      pending.reject(rejection(why, pending.sent));
    }
    for (const resolve of this.#drained.splice(0)) resolve();
    if (tell && !(why instanceof Error)) {
      this.#options.report(why.code, why.message, { ...this.broker }, why.waitedMs);
    }
  }
}

/** An error that says nothing about sending is for what was not sent. */
function rejection(why: Reason | DiasporaError, sent: boolean): Error {
  if (!(why instanceof Error)) return connectionError(why, sent);
  if (!sent) return why;
  return connectionError({ code: 'CONNECTION_LOST', message: why.message, cause: why }, true);
}
