/** What a client and a key source of the Diaspora service are made of: tokens, requests, store, subject, keys. */
import { openTokenSource, type TokenSource } from '../auth/token-source.ts';
import { storeOf, type TokenStore } from '../auth/token-store.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import type { Environment, ResolvedDiaspora } from '../options.ts';
import { ServiceKeys } from './service-keys.ts';
import { ServiceRequests } from './service-requests.ts';
import { findSubject } from './subject.ts';

export interface ServiceSessionOptions {
  readonly auth: ResolvedDiaspora;
  readonly diagnostics: Diagnostics;
  readonly requestTimeoutMs: number;
  readonly env: Environment;
}

/** Asks nothing of anybody when it is made. Keeps no process alive. */
export class ServiceSession {
  readonly store: TokenStore;
  readonly requests: ServiceRequests;
  readonly keys: ServiceKeys;
  readonly #options: ServiceSessionOptions;
  readonly #tokens: TokenSource;
  readonly #closing = new AbortController();
  /** The look-up that is under way, or that has found somebody. */
  #subject: Promise<string | null> | null = null;

  constructor(options: ServiceSessionOptions) {
    const { auth, diagnostics, requestTimeoutMs, env } = options;
    this.#options = options;
    this.#tokens = openTokenSource({ auth: auth.globus, diagnostics, requestTimeoutMs, env });
    this.store = storeOf(auth.globus, env);
    this.requests = new ServiceRequests({
      serviceUrl: auth.serviceUrl,
      tokens: this.#tokens,
      requestTimeoutMs,
      env,
      signal: this.#closing.signal,
    });
    this.keys = new ServiceKeys({
      auth,
      requests: this.requests,
      store: this.store,
      requestTimeoutMs,
      signal: this.#closing.signal,
      subject: () => this.subject(),
    });
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Who asks; null while nobody knows. Looked up until it is known, once for all who ask at once. */
  subject(): Promise<string | null> {
    if (this.#subject !== null) return this.#subject;
    const lookUp = this.#findSubject();
    this.#subject = lookUp;
    const forget = (): void => {
      if (this.#subject === lookUp) this.#subject = null;
    };
    lookUp.then((subject) => {
      if (subject === null) forget();
    }, forget);
    return lookUp;
  }

  forgetSubject(): void {
    this.#subject = null;
  }

  async #findSubject(): Promise<string | null> {
    try {
      return await findSubject({ ...this.#options, store: this.store });
    } catch (error) {
      const isOutage =
        error instanceof AuthenticationError && error.code === 'TOKEN_ENDPOINT_UNAVAILABLE';
      if (isOutage) this.#options.diagnostics.emit('TOKEN_ENDPOINT_UNAVAILABLE', error.message);
      throw error;
    }
  }

  /** Ends requests that are under way. */
  close(): void {
    this.#closing.abort();
    this.#tokens.close();
  }
}
