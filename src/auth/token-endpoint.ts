/** Requests to Globus Auth's token endpoint, by simple-oauth2: deadline, retries, proxy, and errors without secrets. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import createDebug from 'debug';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { AccessToken, ModuleOptions } from 'simple-oauth2';
import { backOff } from '../back-off.ts';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import { type Environment, requireSecureIssuer } from '../options.ts';
import { authorizePath, eventServiceScope, tokenPath } from './globus-service.ts';
import { proxyFor } from './proxy.ts';
import { readRetryAfter } from './retry-after.ts';
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

/** HTTP statuses that pass: the list of Globus's own SDK. */
const passingStatuses: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** A server that wants a longer pause than this, in milliseconds, is left alone for so long; nobody is kept waiting. */
const longestPauseMs = 30_000;

/** A client that the server does not take is not offered again for so many milliseconds. */
const refusedPauseMs = 30_000;

/** A token reply has some thousand bytes. */
const replyMaxBytes = 1024 * 1024;

/** How one attempt failed. Made of what can be shown: no request, no payload. */
interface Failure {
  readonly kind: 'unavailable' | 'invalid-grant' | 'refused';
  readonly reason: string;
  /** Whether the same request may fare better in a moment. */
  readonly passing: boolean;
  readonly retryAfterMs: number | null;
}

/**
 * One OAuth client at one issuer. Every method throws `AuthenticationError` with one of the codes
 * `TOKEN_ENDPOINT_UNAVAILABLE` (retriable), `INVALID_GRANT` and `TOKEN_REQUEST_REFUSED` (both final).
 */
export class TokenEndpoint {
  readonly issuer: string;
  readonly #client: ModuleOptions;
  readonly #requestTimeoutMs: number;
  readonly #env: Environment;
  readonly #isPublic: boolean;
  readonly #closing = new AbortController();
  /** No request is sent before `until`, in milliseconds since the epoch. */
  #pause: { readonly until: number; readonly error: AuthenticationError } | null = null;

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
    this.#env = options.env ?? process.env;
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
    return this.#send(async (http) => {
      const { AuthorizationCode } = await simpleOauth();
      const client = new AuthorizationCode(this.#client);
      return client.createToken({ refresh_token: refreshToken }).refresh({}, http());
    });
  }

  /** Tokens for the service itself, by its client secret. */
  clientCredentials(): Promise<TokenReply> {
    return this.#send(async (http) => {
      const { ClientCredentials } = await simpleOauth();
      return new ClientCredentials(this.#client).getToken({ scope: eventServiceScope }, http());
    });
  }

  /** Tokens for an authorization code. `INVALID_GRANT` says that it is wrong, used, or too old. */
  exchange(code: string, codeVerifier: string, redirectUri: string): Promise<TokenReply> {
    const params = { code, redirect_uri: redirectUri, code_verifier: codeVerifier };
    return this.#send(async (http) => {
      const { AuthorizationCode } = await simpleOauth();
      return new AuthorizationCode(this.#client).getToken(params, http());
    });
  }

  /** URL where a person signs in. */
  async authorizeUrl(params: Readonly<Record<string, string>>): Promise<string> {
    const { AuthorizationCode } = await simpleOauth();
    const auth = { ...this.#client.auth, authorizePath };
    return new AuthorizationCode({ ...this.#client, auth }).authorizeURL({ ...params });
  }

  /** Ends waiting between attempts: what is asked for then fails. */
  close(): void {
    this.#closing.abort();
  }

  async #send(request: (http: () => object) => Promise<AccessToken>): Promise<TokenReply> {
    if (this.#pause !== null && Date.now() < this.#pause.until) throw this.#pause.error;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#attempt(request);
      if ('tokens' in outcome) return outcome;
      const { kind, reason, passing, retryAfterMs } = outcome;
      if (kind === 'invalid-grant') throw this.#invalidGrant(reason);
      if (kind === 'refused') throw this.#pauseFor(refusedPauseMs, this.#refused(reason));
      if (retryAfterMs !== null && retryAfterMs > longestPauseMs) {
        const asked = `${reason}, and it asks for ${Math.ceil(retryAfterMs / 1000)} s of peace`;
        throw this.#pauseFor(retryAfterMs, this.#unavailable(asked));
      }
      if (!passing) throw this.#unavailable(reason);
      if (attempt === retries) {
        throw this.#unavailable(`${reason}, the last of ${retries + 1} requests`);
      }
      const wait = retryAfterMs ?? backOff(attempt, retryDelays);
      await delay(wait, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {
        throw this.#unavailable('closed meanwhile');
      });
    }
  }

  #pauseFor(ms: number, error: AuthenticationError): AuthenticationError {
    this.#pause = { until: Date.now() + ms, error };
    return error;
  }

  async #attempt(
    request: (http: () => object) => Promise<AccessToken>,
  ): Promise<TokenReply | Failure> {
    const agent = this.#agent();
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<Failure>((resolve) => {
      timer = setTimeout(() => {
        resolve(unavailable(`no answer within ${this.#requestTimeoutMs} ms`));
      }, this.#requestTimeoutMs).unref();
    });
    keepRequestsFromDebug();
    let askedAt = Date.now();
    const answer = request(() => {
      askedAt = Date.now();
      setImmediate(() => unreference(agent));
      return { agent, redirects: false, maxBytes: replyMaxBytes };
    }).then(
      ({ token }): TokenReply | Failure =>
        readTokenReply(token, askedAt) ?? unavailable('an answer without a token'),
      (error: unknown) => describeFailure(error),
    );
    try {
      return await Promise.race([answer, deadline]);
    } finally {
      clearTimeout(timer);
      // Ends the connection, also of a request that has not been answered in time.
      agent.destroy();
    }
  }

  #agent(): HttpAgent | HttpsAgent | HttpsProxyAgent<string> {
    const url = new URL(this.issuer);
    if (url.protocol === 'http:') return new HttpAgent();
    const proxy = proxyFor(url, this.#env);
    return proxy ? new HttpsProxyAgent(proxy.href) : new HttpsAgent();
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
const simpleOauth = (): Promise<typeof import('simple-oauth2')> => import('simple-oauth2');

/**
 * simple-oauth2 hands each request, secrets and all, to the package `debug`, and `DEBUG=*` would
 * print it: its namespaces are switched off, the others stay.
 */
function keepRequestsFromDebug(): void {
  const namespaces = ['simple-oauth2:client', 'simple-oauth2:request-options'];
  if (namespaces.some((name) => createDebug.enabled(name))) {
    createDebug.enable(`${createDebug.disable()},-simple-oauth2:*`);
  }
}

/** A renewal in the background must not keep a process alive that is done: whoever waits holds it (RenewingToken). */
function unreference(agent: HttpAgent): void {
  for (const sockets of Object.values(agent.sockets)) {
    for (const socket of sockets ?? []) socket.unref();
  }
}

const unavailable = (reason: string, retryAfterMs: number | null = null): Failure => ({
  kind: 'unavailable',
  reason,
  passing: true,
  retryAfterMs,
});

/**
 * What can be said of an error of simple-oauth2. Those are Boom objects, which hold the request with its
 * secrets: only the status, the OAuth error code and the system's error code are taken over.
 */
function describeFailure(error: unknown): Failure {
  const data = field(error, 'data');
  const response = field(data, 'res');
  const status = field(response, 'statusCode');
  if (typeof status !== 'number') {
    const code = field(data, 'code') ?? field(error, 'code');
    const isCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code);
    if (isCode) return unavailable(code);
    // Neither an answer nor the network: what it is, and nothing of what it says.
    const reason = error instanceof Error ? error.name : 'no usable answer';
    return { kind: 'unavailable', reason, passing: false, retryAfterMs: null };
  }
  const named = field(field(data, 'payload'), 'error');
  const oauthError = typeof named === 'string' && /^[a-z_]{1,40}$/.test(named) ? named : null;
  const reason = `HTTP ${status}${oauthError === null ? '' : `, ${oauthError}`}`;
  if (status < 400) return unavailable(`${reason} without a token`);
  const retryAfterMs = readRetryAfter(field(field(response, 'headers'), 'retry-after'), Date.now());
  if (passingStatuses.has(status)) return unavailable(reason, retryAfterMs);
  if (oauthError === 'invalid_grant') {
    return { kind: 'invalid-grant', reason, passing: false, retryAfterMs: null };
  }
  // Without an OAuth error it is not the token endpoint that speaks, but a proxy or a portal.
  const kind = oauthError === null ? 'unavailable' : 'refused';
  return { kind, reason, passing: false, retryAfterMs: null };
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
