/** What a client and a key source of the Diaspora service are made of: tokens, requests, store, subject, keys. */
import { openTokenSource, type TokenSource } from '../auth/token-source.ts';
import { TokenStore } from '../auth/token-store.ts';
import type { Diagnostics } from '../diagnostics.ts';
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
  #subject: string | null = null;

  constructor(options: ServiceSessionOptions) {
    const { auth, diagnostics, requestTimeoutMs, env } = options;
    const { issuer, oauthClientId, oauthClientSecret } = auth.globus;
    const isService = oauthClientSecret !== undefined;
    this.#options = options;
    this.#tokens = openTokenSource({ auth: auth.globus, diagnostics, requestTimeoutMs, env });
    this.store = new TokenStore({ issuer, oauthClientId, isService, env });
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
      subject: () => this.subject(),
    });
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Who asks; null while nobody knows. Looked up until it is known. */
  async subject(): Promise<string | null> {
    this.#subject ??= await findSubject({ ...this.#options, store: this.store });
    return this.#subject;
  }

  forgetSubject(): void {
    this.#subject = null;
  }

  /** Ends requests that are under way. */
  close(): void {
    this.#closing.abort();
    this.#tokens.close();
  }
}
