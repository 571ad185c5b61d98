/** Access tokens for whoever connects to a broker: cached, renewed in time, one request at a time. */
import { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import { type Environment, type ResolvedAwsIam, requireSecureIssuer } from '../options.ts';
import { openAwsTokenSource } from './aws-token-source.ts';
import { GlobusIdentity } from './globus-identity.ts';
import {
  type AcquiredIdentity,
  acquireIdentity,
  identityKey,
  releaseIdentity,
} from './identity-registry.ts';
import { RefreshTokenOrigin } from './refresh-token-origin.ts';
import type { AccessToken } from './renewing-token.ts';
import { TokenEndpoint } from './token-endpoint.ts';
import { TokenModule } from './token-module.ts';
import { storeOf } from './token-store.ts';
import { waitedFor } from './waited-for.ts';

export type { AccessToken };

/** Sign-in by Globus Auth: a refresh token buys access tokens, or a service's own secret does. */
export interface GlobusAuth {
  readonly type: 'globus';
  /** Base URL of Globus Auth, such as `https://auth.globus.org`. Plain HTTP on loopback only. */
  readonly issuer: string;
  readonly refreshToken?: string;
  /** Where `refreshToken` comes from: said in diagnostics. Default `option`. */
  readonly refreshTokenFrom?: 'option' | 'environment';
  /** A file that holds the refresh token; read again at each refresh. */
  readonly refreshTokenFile?: string;
  readonly oauthClientId: string;
  /** Secret of a confidential client. Without a refresh token it gets tokens for itself. */
  readonly oauthClientSecret?: string;
}

/** Sign-in by a module whose default export answers a token, or `{ value, expiresAt }` with milliseconds since the epoch. */
export interface TokenModuleAuth {
  readonly type: 'token';
  /** URL of the module. */
  readonly module: string;
}

export interface TokenSourceOptions {
  readonly auth: GlobusAuth | TokenModuleAuth | ResolvedAwsIam;
  /** Where refreshes and troubles are reported. Default: the diagnostics channel alone. */
  readonly diagnostics?: Diagnostics;
  /** Milliseconds that one token request may take. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** For the token store's directory and the proxy. Default `process.env`. */
  readonly env?: Environment;
}

/** Hands out access tokens. */
export interface TokenSource {
  /**
   * A token that is good now, from the cache where it can be. A call that waits keeps the process alive. Throws `AuthenticationError`: with
   * `retriable` true the same credentials may work later; false, only new ones will, and each call looks for them.
   */
  token(): Promise<AccessToken>;
  /** Says that a broker refused this token: the next `token()` asks for another, once. */
  refused(value: string): void;
  /** Ends renewals. Tokens that were handed out stay good. */
  close(): void;
}

/**
 * Makes a token source. Sources of one identity in a thread share its token. No request is sent
 * before the first `token()`. Throws `ConfigurationError` for an issuer over plain HTTP that is not
 * on this machine, and for a proxy in `HTTPS_PROXY` that cannot be used.
 *
 * @example
 * const source = createTokenSource({
 *   auth: {
 *     type: 'globus',
 *     issuer: 'https://auth.globus.org',
 *     refreshTokenFile: '/run/secrets/diaspora-refresh',
 *     oauthClientId: 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe',
 *   },
 * });
 * const { value, expiresAt } = await source.token();
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const source = openTokenSource(options);
  return {
    token: () => waitedFor(source.token()),
    refused: (value) => source.refused(value),
    close: () => source.close(),
  };
}

/** The same for transports and clients, which decide themselves what keeps the process alive: this does not. */
export function openTokenSource(options: TokenSourceOptions): TokenSource {
  const { auth, diagnostics = new Diagnostics(), requestTimeoutMs } = options;
  switch (auth.type) {
    case 'token':
      return new TokenModule(auth.module, diagnostics, requestTimeoutMs);
    case 'aws-iam':
      return openAwsTokenSource(auth, diagnostics, requestTimeoutMs);
    default:
      return new GlobusTokenSource(auth, options, diagnostics);
  }
}

class GlobusTokenSource implements TokenSource {
  readonly #key: string;
  readonly #acquired: AcquiredIdentity;
  readonly #diagnostics: Diagnostics;
  #closed = false;

  constructor(auth: GlobusAuth, options: TokenSourceOptions, diagnostics: Diagnostics) {
    requireSecureIssuer(auth.issuer);
    const { issuer, oauthClientId, oauthClientSecret, refreshToken, refreshTokenFile } = auth;
    const env = options.env ?? process.env;
    const store = storeOf(auth, env);
    this.#diagnostics = diagnostics;
    this.#key = identityKey([
      issuer,
      oauthClientId,
      oauthClientSecret,
      refreshToken,
      refreshTokenFile,
      store.directory ?? undefined,
      store.namespace,
    ]);
    this.#acquired = acquireIdentity(this.#key, {
      makeOrigin: () => new RefreshTokenOrigin(auth, store),
      makeIdentity: (origin) =>
        new GlobusIdentity(
          makeEndpoint(auth, options, env),
          origin,
          oauthClientSecret !== undefined,
        ),
    });
    this.#acquired.identity.listen(diagnostics);
  }

  async token(): Promise<AccessToken> {
    this.#requireOpen();
    await this.#acquired.free;
    this.#requireOpen();
    return this.#acquired.identity.token();
  }

  refused(value: string): void {
    this.#acquired.identity.refused(value);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#acquired.identity.leave(this.#diagnostics);
    releaseIdentity(this.#key);
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new AuthenticationError('CLOSED', 'The token source is closed.', false);
    }
  }
}

function makeEndpoint(
  { issuer, oauthClientId, oauthClientSecret }: GlobusAuth,
  { requestTimeoutMs }: TokenSourceOptions,
  env: Environment,
): TokenEndpoint {
  return new TokenEndpoint({
    issuer,
    oauthClientId,
    env,
    ...(oauthClientSecret !== undefined && { oauthClientSecret }),
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs }),
  });
}
