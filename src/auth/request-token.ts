/** Signs a person in with Globus (authorization code with PKCE) and answers the tokens of the event service. */

import { createHash, randomBytes } from 'node:crypto';
import { AuthenticationError, ConfigurationError } from '../errors.ts';
import { defaultIssuer, type Environment, nativeAppClientId } from '../options.ts';
import { readAuthorizationCode } from './authorization-code.ts';
import { canOpenBrowser, openBrowser } from './browser.ts';
import { reasonOf } from './failure-reason.ts';
import { authService, eventService, redirectPath, signInScope } from './globus-service.ts';
import { principalOf, readIdToken } from './id-token.ts';
import { promptForCode } from './prompt.ts';
import { TokenEndpoint } from './token-endpoint.ts';
import { type GlobusTokens, hasAccessToken, type TokenReply, tokensFor } from './token-reply.ts';
import { type StoredTokens, storeOf, type TokenStore } from './token-store.ts';
import { askUserinfo } from './userinfo.ts';
import { waitedFor } from './waited-for.ts';

export interface RequestTokenOptions {
  /** Base URL of Globus Auth. Default `DIASPORA_ISSUER`, else `https://auth.globus.org`. */
  readonly issuer?: string;
  /** Default `DIASPORA_SDK_CLIENT_ID`, else the native app of the event service. */
  readonly oauthClientId?: string;
  /** Secret of a confidential client. Default `DIASPORA_SDK_CLIENT_SECRET`, else none. */
  readonly oauthClientSecret?: string;
  /** Opens a browser where there is one. Default true. */
  readonly browser?: boolean;
  /** Keeps the tokens in the token store, where the Python SDK finds them too. Default false. */
  readonly save?: boolean;
  /** Shows the address and answers what the person pastes: a code, or a whole address. Default: on the terminal. */
  readonly prompt?: (authorizeUrl: string) => Promise<string>;
  /** Milliseconds that one request may take. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Default `process.env`. */
  readonly env?: Environment;
}

/** Who signed in, and the event service's tokens. The tokens are secrets. */
export interface RequestedToken {
  readonly issuer: string;
  readonly oauthClientId: string;
  /** Claim `sub`: a UUID. */
  readonly subject: string;
  /** The user name up to the `@`. */
  readonly principal: string;
  /** Such as `scientist@example.org`. */
  readonly username: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** End of the access token, in milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly scope: string;
  /** Path of the token store, where `save` was asked for and done; else null. */
  readonly savedTo: string | null;
  /** Why the tokens could not be saved, where `save` was asked for; else null. */
  readonly saveProblem: string | null;
}

/**
 * Asks a person to sign in, and answers the tokens. Throws `ConfigurationError` for an issuer that is
 * not secure and, before anybody is asked, a token store that `save` cannot write to; and `AuthenticationError` with one of the codes `AUTHORIZATION_CODE_MISSING`,
 * `AUTHORIZATION_CODE_INVALID`, `CONSENT_REFUSED`, `STATE_MISMATCH`, `ID_TOKEN_INVALID`,
 * `TOKEN_REQUEST_REFUSED`, `TOKEN_ENDPOINT_UNAVAILABLE`.
 *
 * @example
 * const { principal, refreshToken } = await requestToken();
 */
export async function requestToken(options: RequestTokenOptions = {}): Promise<RequestedToken> {
  const env = options.env ?? process.env;
  const issuer = (options.issuer ?? (env['DIASPORA_ISSUER'] || defaultIssuer)).replace(/\/+$/, '');
  const oauthClientId =
    options.oauthClientId ?? (env['DIASPORA_SDK_CLIENT_ID'] || nativeAppClientId);
  const oauthClientSecret =
    options.oauthClientSecret ?? (env['DIASPORA_SDK_CLIENT_SECRET'] || undefined);
  const timeoutMs = options.requestTimeoutMs ?? 10_000;
  const endpoint = new TokenEndpoint({
    issuer,
    oauthClientId,
    requestTimeoutMs: timeoutMs,
    env,
    ...(oauthClientSecret !== undefined && { oauthClientSecret }),
  });
  const store = storeOf({ issuer, oauthClientId, oauthClientSecret }, env);
  // Before the person signs in: no sign-in is wasted on a store that cannot be written.
  if (options.save) {
    const problem = await problemOf(store, () => store.tryWriting());
    if (problem !== null) {
      throw new ConfigurationError(`${problem} Mend that, or sign in without saving.`, 'save');
    }
  }

  const state = randomBytes(16).toString('base64url');
  // RFC 7636: 43 to 128 characters; 32 bytes make 43.
  const codeVerifier = randomBytes(32).toString('base64url');
  const redirectUri = issuer + redirectPath;
  const authorizeUrl = await endpoint.authorizeUrl({
    redirect_uri: redirectUri,
    scope: signInScope,
    state,
    access_type: 'offline',
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  if (options.browser !== false && canOpenBrowser(env, process.platform)) {
    await openBrowser(authorizeUrl);
  }
  const pasted = await (options.prompt ?? promptForCode)(authorizeUrl);
  const code = readAuthorizationCode(pasted, state);
  const reply = await waitedFor(exchange(endpoint, code, codeVerifier, redirectUri));

  const tokens = tokensFor(reply, eventService);
  if (tokens === null || tokens.refreshToken === null || reply.idToken === null) {
    throw new AuthenticationError(
      'TOKEN_REQUEST_REFUSED',
      `Globus Auth at ${issuer} answered without ${tokens === null ? "the event service's token" : tokens.refreshToken === null ? 'a refresh token' : 'an id_token'}: the OAuth client ${oauthClientId} may not ask for it.`,
      false,
    );
  }
  const { subject, username } = readIdToken(reply.idToken, issuer, oauthClientId);
  const own = tokensFor(reply, authService);
  // The id_token has said it: a sign-in that is done is not lost for want of a second word.
  const known =
    own && (await askUserinfo(issuer, own.accessToken, { env, timeoutMs }).catch(() => null));
  if (known !== null && known !== subject) {
    throw new AuthenticationError(
      'ID_TOKEN_INVALID',
      `Globus Auth at ${issuer} contradicts itself about who signed in.`,
      false,
    );
  }
  const rows = reply.tokens.filter(hasAccessToken).map((one) => rowOf(one, subject));
  const saveProblem = options.save ? await problemOf(store, () => store.write(...rows)) : null;
  return {
    issuer,
    oauthClientId,
    subject,
    principal: principalOf(username),
    username,
    accessToken: tokens.accessToken,
    refreshToken: tokens.refreshToken,
    expiresAt: tokens.expiresAt,
    scope: tokens.scope,
    savedTo: options.save && saveProblem === null ? store.path : null,
    saveProblem,
  };
}

/** A sentence on what failed at the store; null for nothing. Throws `ConfigurationError` where there is no place for one. */
async function problemOf(store: TokenStore, action: () => Promise<void>): Promise<string | null> {
  const { path } = store;
  try {
    await action();
    return null;
  } catch (error) {
    return `The token store ${path} cannot be written (${reasonOf(error)}).`;
  }
}

async function exchange(
  endpoint: TokenEndpoint,
  code: string,
  codeVerifier: string,
  redirectUri: string,
): Promise<TokenReply> {
  try {
    return await endpoint.exchange(code, codeVerifier, redirectUri);
  } catch (error) {
    if (!(error instanceof AuthenticationError) || error.code !== 'INVALID_GRANT') throw error;
    throw new AuthenticationError(
      'AUTHORIZATION_CODE_INVALID',
      'The authorization code is wrong, used, or too old: it is good for ten minutes, once. Start again.',
      false,
    );
  }
}

function rowOf(tokens: GlobusTokens, subject: string): StoredTokens {
  return {
    resource_server: tokens.resourceServer,
    identity_id: subject,
    scope: tokens.scope,
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
    expires_at_seconds: Math.floor(tokens.expiresAt / 1000),
    token_type: tokens.tokenType,
  };
}
