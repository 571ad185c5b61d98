/** How a token request failed, in words that can be shown. */
import { ProxyRefusal } from './connections.ts';
import { readRetryAfter } from './retry-after.ts';

/** How one attempt failed. Made of what can be shown: no request, no payload. */
export interface Failure {
  readonly kind: 'unavailable' | 'invalid-grant' | 'refused';
  readonly reason: string;
  /** Whether the same request may fare better in a moment. */
  readonly passing: boolean;
  /** Milliseconds that the server asks for, where it passes. */
  readonly retryAfterMs: number | null;
  /** False where the server has surely not acted on the request. */
  readonly mayBeServed: boolean;
}

/** HTTP statuses that pass: the list of Globus's own SDK. */
export const passingStatuses: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** Statuses by which a server says that it has not acted. */
export const unservedStatuses: ReadonlySet<number> = new Set([429, 503]);

/** System errors that come before a request is sent. */
const unsent = /^(ECONNREFUSED|ENOTFOUND|EAI_[A-Z]+|EHOSTUNREACH|ENETUNREACH)$/;

/** OAuth errors that pass, whatever the status (RFC 6749 section 4.1.2.1). */
const passingErrors: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error']);

export const unavailable = (
  reason: string,
  { retryAfterMs = null, mayBeServed = true }: Partial<Failure> = {},
): Failure => ({ kind: 'unavailable', reason, passing: true, retryAfterMs, mayBeServed });

/**
 * What can be said of an error of simple-oauth2. Those are Boom objects, which hold the request with its
 * secrets: only the status, the OAuth error code and the system's error code are taken over.
 */
export function describeFailure(error: unknown): Failure {
  if (error instanceof ProxyRefusal) return describeRefusal(error);
  const data = field(error, 'data');
  const response = field(data, 'res');
  const status = field(response, 'statusCode');
  if (typeof status !== 'number') {
    const code = field(data, 'code') ?? field(error, 'code');
    const isCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code);
    if (isCode) return unavailable(code, { mayBeServed: !unsent.test(code) });
    // What simple-oauth2 throws for an answer of JSON that is no object, such as an empty one.
    if (error instanceof TypeError) return unavailable('an answer without a token');
    // Neither an answer nor the network: what it is, and nothing of what it says.
    return lasting('unavailable', error instanceof Error ? error.name : 'no usable answer');
  }
  const named = field(field(data, 'payload'), 'error');
  const oauthError = typeof named === 'string' && /^[a-z_]{1,40}$/.test(named) ? named : null;
  const reason = `HTTP ${status}${oauthError === null ? '' : `, ${oauthError}`}`;
  if (status < 400) return unavailable(`${reason} without a token`);
  if (passingStatuses.has(status) || passingErrors.has(oauthError ?? '')) {
    const retryAfter = field(field(response, 'headers'), 'retry-after');
    return unavailable(reason, {
      retryAfterMs: readRetryAfter(retryAfter, Date.now()),
      mayBeServed: !unservedStatuses.has(status),
    });
  }
  if (oauthError === 'invalid_grant') return lasting('invalid-grant', reason);
  // Without an OAuth error it is not the token endpoint that speaks, but a proxy or a portal.
  return lasting(oauthError === null ? 'unavailable' : 'refused', reason);
}

/** The proxy speaks for itself alone, without TLS: nothing that it says is taken for Globus's word. */
function describeRefusal({ proxy, status, retryAfter }: ProxyRefusal): Failure {
  const reason = `the proxy ${proxy} answered HTTP ${status} when asked to connect (check HTTPS_PROXY)`;
  if (!passingStatuses.has(status)) return lasting('unavailable', reason);
  return unavailable(reason, {
    retryAfterMs: readRetryAfter(retryAfter, Date.now()),
    mayBeServed: false,
  });
}

const lasting = (kind: Failure['kind'], reason: string): Failure => ({
  kind,
  reason,
  passing: false,
  retryAfterMs: null,
  mayBeServed: true,
});

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
