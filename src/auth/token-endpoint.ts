/** Requests to Globus Auth's token endpoint, by simple-oauth2: deadline, retries, proxy, and errors without secrets. */
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessToken, ModuleOptions } from 'simple-oauth2';
import { backOff } from '../back-off.ts';
import { deadline } from '../deadline.ts';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import { type Environment, requireSecureIssuer } from '../options.ts';
import { agentFor } from './connections.ts';
import { authorizePath, eventServiceScope, tokenPath } from './globus-service.ts';
import { proxyFor } from './proxy.ts';
import { keepRequestsFromDebug } from './quiet-debug.ts';
import { describeFailure, type Failure, unavailable } from './token-failure.ts';
import { readTokenReply, type TokenReply } from './token-reply.ts';

/** An OAuth client of an issuer. */
export interface TokenEndpointOptions {
  /** Base URL of Globus Auth, such as `https://auth.globus.org`. */
  readonly issuer: string;
  readonly oauthClientId: string;
  /** Left out for a public client. */
  readonly oauthClientSecret?: string;
  /** Milliseconds that one request may take, its answer's body included. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** For the proxy. Default `process.env`. */
  readonly env?: Environment;
}

/** Milliseconds that one token request may take. */
const defaultRequestTimeoutMs = 10_000;

/** A request is sent again so many times. */
const retries = 3;

/** Waiting in between, in milliseconds. */
const retryDelays = { minMs: 500, maxMs: 8_000 };

/** Nor is it asked again at once where all retries failed, in milliseconds. */
const givenUpPauses = { minMs: 1_000, maxMs: 10_000 } as const;

/** Who asks for a token waits no longer than this between requests, in milliseconds, whatever the server's `Retry-After`. */
const longestWaitMs = 30_000;

/** A server that asks for it is left alone for as long as this, in milliseconds. */
const longestPauseMs = 3_600_000;

/** A client that the server does not take is not offered again for so many milliseconds. */
const refusedPauseMs = 30_000;

/** A token reply has some thousand bytes. */
const replyMaxBytes = 1024 * 1024;

type SimpleOauth = typeof import('simple-oauth2');

/** simple-oauth2 hands these to its HTTP client, @hapi/wreck. */
type HttpOptions = { readonly agent: Agent; readonly redirects: false; readonly maxBytes: number };

type TokenRequest = (oauth: SimpleOauth, http: HttpOptions) => Promise<AccessToken>;

/**
 * One OAuth client at one issuer. Every method throws `AuthenticationError` with one of the codes
 * `TOKEN_ENDPOINT_UNAVAILABLE` (retriable), `INVALID_GRANT` and `TOKEN_REQUEST_REFUSED` (both final).
 */
export class TokenEndpoint {
  readonly issuer: string;
  readonly #client: ModuleOptions;
  readonly #requestTimeoutMs: number;
  readonly #proxy: URL | null;
  readonly #isPublic: boolean;
  readonly #closing = new AbortController();
  /** No request is sent before `until`, by `performance.now()`: the clock may be set meanwhile. */
  #pause: { readonly until: number; readonly error: AuthenticationError } | null = null;
  /** How often in a row all retries failed. */
  #givenUps = 0;

  constructor(options: TokenEndpointOptions) {
    requireSecureIssuer(options.issuer);
    for (const name of ['oauthClientId', 'oauthClientSecret'] as const) {
      // Appendix A of RFC 6749; simple-oauth2's own check would quote the value.
      if (!/^[\x20-\x7e]*$/.test(options[name] ?? '')) {
        throw new ConfigurationError(
          `Option "auth.${name}" takes printable ASCII characters.`,
          `auth.${name}`,
        );
      }
    }
    this.issuer = options.issuer.replace(/\/+$/, '');
    this.#requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs;
    this.#proxy = proxyFor(new URL(this.issuer), options.env ?? process.env);
    this.#isPublic = options.oauthClientSecret === undefined;
    const id = options.oauthClientId;
    this.#client = {
      // simple-oauth2 knows no public clients: as its own "secret", the id is sent once, and no secret.
      client: this.#isPublic
        ? { id, secret: id, secretParamName: 'client_id' }
        : { id, secret: options.oauthClientSecret ?? '' },
      options: { authorizationMethod: this.#isPublic ? 'body' : 'header' },
      auth: { tokenHost: this.issuer, tokenPath },
    };
  }

  /** New tokens for a refresh token. `INVALID_GRANT` says that it is dead for good. */
  refresh(refreshToken: string): Promise<TokenReply> {
    return this.#send(async ({ AuthorizationCode }, http) => {
      const client = new AuthorizationCode(this.#client);
      return client.createToken({ refresh_token: refreshToken }).refresh({}, http);
    });
  }

  /** Tokens for the service itself, by its client secret. */
  clientCredentials(): Promise<TokenReply> {
    return this.#send(async ({ ClientCredentials }, http) =>
      new ClientCredentials(this.#client).getToken({ scope: eventServiceScope }, http),
    );
  }

  /**
   * Tokens for an authorization code. `INVALID_GRANT` says that it is wrong, used, or too old. A code that
   * may have reached the server is not sent again: used twice, it ends the tokens it was given for (RFC 6749 section 4.1.2).
   */
  exchange(code: string, codeVerifier: string, redirectUri: string): Promise<TokenReply> {
    const params = { code, redirect_uri: redirectUri, code_verifier: codeVerifier };
    return this.#send(
      async ({ AuthorizationCode }, http) =>
        new AuthorizationCode(this.#client).getToken(params, http),
      { once: true },
    );
  }

  /** URL where a person signs in. */
  async authorizeUrl(params: Readonly<Record<string, string>>): Promise<string> {
    const { AuthorizationCode } = await simpleOauth();
    const auth = { ...this.#client.auth, authorizePath };
    return new AuthorizationCode({ ...this.#client, auth }).authorizeURL({ ...params });
  }

  /**
   * Ends waiting between attempts: what is asked for then fails. A request under way goes on, to its
   * deadline at most: its answer may be the only copy of a new refresh token.
   */
  close(): void {
    this.#closing.abort();
  }

  async #send(request: TokenRequest, { once = false } = {}): Promise<TokenReply> {
    if (this.#pause !== null && performance.now() < this.#pause.until) throw this.#pause.error;
    const oauth = await simpleOauth();
    let waited = 0;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt((http) => request(oauth, http));
      if ('tokens' in outcome) {
        this.#givenUps = 0;
        return outcome;
      }
      const { kind, reason, passing, retryAfterMs } = outcome;
      if (kind === 'invalid-grant') throw this.#invalidGrant(reason);
      if (kind === 'refused') throw this.#pauseFor(refusedPauseMs, this.#refused(reason));
      if (!passing) throw this.#unavailable(reason);
      const wait = retryAfterMs ?? backOff(attempt, retryDelays);
      const isLast =
        attempt === retries || waited + wait > longestWaitMs || (once && outcome.mayBeServed);
      if (isLast) throw this.#givenUp(outcome, attempt);
      await delay(wait, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {
        throw this.#unavailable('closed meanwhile');
      });
      waited += wait;
    }
  }

  #givenUp({ reason, retryAfterMs }: Failure, attempt: number): AuthenticationError {
    const last = attempt === 0 ? reason : `${reason}, the last of ${attempt + 1} requests`;
    const pauseMs = backOff(this.#givenUps, givenUpPauses);
    this.#givenUps += 1;
    if (retryAfterMs === null || retryAfterMs < pauseMs) {
      return this.#pauseFor(pauseMs, this.#unavailable(last));
    }
    const askedMs = Math.min(retryAfterMs, longestPauseMs);
    const seconds = Math.ceil(askedMs / 1000);
    return this.#pauseFor(askedMs, this.#unavailable(`${last}; it is left alone for ${seconds} s`));
  }

  #pauseFor(ms: number, error: AuthenticationError): AuthenticationError {
    this.#pause = { until: performance.now() + ms, error };
    return error;
  }

  async #attempt(
    request: (http: HttpOptions) => Promise<AccessToken>,
  ): Promise<TokenReply | Failure> {
    const agent = agentFor(new URL(this.issuer), this.#proxy);
    const timeoutMs = this.#requestTimeoutMs;
    let stop = (): void => {};
    const late = new Promise<Failure>((resolve) => {
      stop = deadline(timeoutMs, () => resolve(unavailable(`no answer within ${timeoutMs} ms`)));
    });
    keepRequestsFromDebug();
    const askedAt = performance.now();
    const answer = request({ agent, redirects: false, maxBytes: replyMaxBytes }).then(
      ({ token }): TokenReply | Failure =>
        readTokenReply(token, Math.floor(Date.now() - (performance.now() - askedAt))) ??
        unavailable('an answer without a token'),
      (error: unknown) => describeFailure(error),
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      stop();
      // Ends the connection, also of a request that has not been answered in time.
      agent.destroy();
    }
  }

  #unavailable(reason: string): AuthenticationError {
    return new AuthenticationError(
      'TOKEN_ENDPOINT_UNAVAILABLE',
      `Globus Auth at ${this.issuer} gives no token: ${reason}.`,
      true,
    );
  }

  #invalidGrant(reason: string): AuthenticationError {
    return new AuthenticationError(
      'INVALID_GRANT',
      `Globus Auth at ${this.issuer} refused the grant (${reason}).`,
      false,
    );
  }

  #refused(reason: string): AuthenticationError {
    const toCheck = this.#isPublic
      ? 'auth.oauthClientId'
      : 'auth.oauthClientId and auth.oauthClientSecret';
    return new AuthenticationError(
      'TOKEN_REQUEST_REFUSED',
      `Globus Auth at ${this.issuer} refused the request (${reason}): check ${toCheck}.`,
      false,
    );
  }
}

/** Loaded when the first token is asked for: other ways of signing in never load it. */
const simpleOauth = (): Promise<SimpleOauth> => import('simple-oauth2');
