/** Keeps a connection signed in: brokers end a session that is not renewed in time (KIP-368). */
import { performance } from 'node:perf_hooks';
import { AuthenticationError, DiasporaError } from '../errors.ts';
import { connectionError, givenUp } from './connect-failure.ts';
import type { Connection } from './connection.ts';
import { credentialsFor, type Report } from './credentials.ts';
import {
  type Credentials,
  CredentialsRefused,
  type SessionLife,
  type SignIn,
  secretOf,
  signIn,
} from './sign-in.ts';

/** Share of a session's life after which it is renewed: as Kafka's own clients do. */
const renewAt = 0.8;
/** Share after which nothing is sent until it is renewed: a request on its way must not meet the session's end. */
const holdAt = 0.95;
/** Brokers take no second sign-in within a second (`KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS`). */
const leastMs = 1_050;
/** Longest that a timer can wait, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

export interface SessionOptions {
  readonly connection: Connection;
  readonly signIn: SignIn;
  /** Deadline of token or password, and again of the sign-in, in milliseconds. */
  readonly timeoutMs: number;
  readonly report: Report;
}

/**
 * Renews a session that is in use at 80 % of its life. The token or password is fetched first, while requests go
 * on; only the exchange itself holds them. A session that nobody uses is left to end with its
 * connection: the next request makes a new one.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #stop = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  #requestsBefore = 0;
  #renewing = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    options.connection.closed.then(() => {
      this.#stop.abort();
      this.#clear();
    });
  }

  /** Starts a session's clock. */
  begin({ startedAt, lifetimeMs }: SessionLife): void {
    this.#clear();
    this.#renewing = false;
    if (lifetimeMs === null) return;
    const { connection } = this.#options;
    this.#requestsBefore = connection.requests;
    const renewMs = Math.max(leastMs, lifetimeMs * renewAt);
    const holdMs = Math.max(renewMs, lifetimeMs * holdAt);
    const holdsAt = startedAt + holdMs;
    this.#at(startedAt + renewMs, () => {
      if (this.#used) void this.#renew(holdsAt);
    });
    this.#at(holdsAt, () => {
      if (!this.#used && !this.#renewing) {
        connection.retire();
        return;
      }
      void connection.hold();
      void this.#renew(holdsAt);
    });
  }

  get #used(): boolean {
    const { requests, outstanding } = this.#options.connection;
    return requests > this.#requestsBefore || outstanding > 0;
  }

  async #renew(holdsAt: number): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const { connection, timeoutMs } = this.#options;
    try {
      const credentials = await this.#credentials(holdsAt);
      await connection.hold();
      if (!connection.open) return;
      this.begin(await this.#signIn(credentials, timeoutMs));
      connection.resume();
    } catch (error) {
      await connection.hold();
      if (!connection.open) return;
      // What was not sent can go over a new connection, with a sign-in of its own.
      connection.destroy(error instanceof DiasporaError ? error : undefined);
    }
  }

  /** While the session lasts, a source that fails is asked again. */
  async #credentials(holdsAt: number): Promise<Credentials> {
    const { connection, signIn: how, timeoutMs, report } = this.#options;
    const aborted = (): Error => connectionError(givenUp(connection.broker), false);
    for (;;) {
      try {
        return await credentialsFor(how, {
          timeoutMs,
          signal: this.#stop.signal,
          aborted,
          report,
        });
      } catch (error) {
        const left = holdsAt - performance.now();
        if (left <= 0 || this.#stop.signal.aborted) throw error;
        await this.#pause(Math.max(50, left / 10));
      }
    }
  }

  async #signIn(credentials: Credentials, timeoutMs: number): Promise<SessionLife> {
    const { connection, signIn: how } = this.#options;
    try {
      return await signIn(connection, credentials, timeoutMs);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      if (error instanceof CredentialsRefused) how.refused(secretOf(credentials));
      // The next connection tells whether new credentials help, and says it where they do not.
      throw connectionError(
        { code: 'CONNECTION_LOST', message: error.message, cause: error },
        false,
      );
    }
  }

  #at(time: number, act: () => void): void {
    const wait = Math.min(longestTimerMs, Math.max(0, time - performance.now()));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      // A session longer than a timer can wait.
      if (performance.now() < time - 1) this.#at(time, act);
      else act();
    }, wait);
    timer.unref();
    this.#timers.add(timer);
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#stop.signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      timer.unref();
      this.#stop.signal.addEventListener('abort', wake, { once: true });
    });
  }

  #clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
