/** What Globus Auth's token endpoint answers: read once, here, and trusted from then on. */

/** The tokens of one resource server, as they came. */
export interface ReceivedTokens {
  readonly resourceServer: string;
  readonly scope: string;
  /** Null for text that is no token: it was damaged on its way. */
  readonly accessToken: string | null;
  /** Null where the reply has none: an earlier one then stays in use. */
  readonly refreshToken: string | null;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly tokenType: string;
}

/** The tokens of one resource server, the access token included. */
export interface GlobusTokens extends ReceivedTokens {
  readonly accessToken: string;
}

/** A whole reply. */
export interface TokenReply {
  /** One a resource server, in the reply's order. */
  readonly tokens: readonly ReceivedTokens[];
  readonly idToken: string | null;
}

/** Seconds taken for a reply that does not say (RFC 6749 section 5.1 only recommends that it does). */
const assumedLifeSeconds = 3_600;

/**
 * Reads a reply of the token endpoint. `askedAt` is when the request was sent, in milliseconds since
 * the epoch: counted from there, a token is never thought to live longer than it does.
 * Null where it is no such reply. One whose access token is damaged is one all the same where there is a refresh token: that
 * may have replaced an earlier one.
 */
export function readTokenReply(body: unknown, askedAt: number): TokenReply | null {
  if (!isObject(body)) return null;
  const others = body['other_tokens'];
  const tokens = [body, ...(Array.isArray(others) ? others : [])]
    .map((entry) => readTokens(entry, askedAt))
    .filter((entry) => entry !== null);
  if (tokens.every(isEmpty)) return null;
  return { tokens, idToken: textOf(body['id_token']) };
}

/** The tokens of one resource server: by its name, since Globus promises no order. */
export function tokensFor(reply: TokenReply, resourceServer: string): GlobusTokens | null {
  const found = reply.tokens.find((tokens) => tokens.resourceServer === resourceServer);
  return found && hasAccessToken(found) ? found : null;
}

export function hasAccessToken(tokens: ReceivedTokens): tokens is GlobusTokens {
  return tokens.accessToken !== null;
}

function isEmpty({ accessToken, refreshToken }: ReceivedTokens): boolean {
  return accessToken === null && refreshToken === null;
}

function readTokens(entry: unknown, askedAt: number): ReceivedTokens | null {
  if (!isObject(entry)) return null;
  const life = Number(entry['expires_in']);
  const seconds = Number.isFinite(life) && life > 0 ? life : assumedLifeSeconds;
  const tokens = {
    resourceServer: textOf(entry['resource_server']) ?? '',
    scope: textOf(entry['scope']) ?? '',
    accessToken: tokenOf(entry['access_token']),
    refreshToken: tokenOf(entry['refresh_token']),
    expiresAt: askedAt + seconds * 1000,
    tokenType: textOf(entry['token_type']) ?? 'Bearer',
  };
  return tokens.resourceServer === '' && isEmpty(tokens) ? null : tokens;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/**
 * Null for what is no token, such as text that was damaged on its way: a refresh token would take the place of the
 * good one. Printable ASCII (RFC 6749 appendix A.12 and A.17), and no spaces (RFC 6750 section 2.1).
 */
const tokenOf = (value: unknown): string | null =>
  typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : null;

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;
