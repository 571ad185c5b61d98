/** URLs to which a token is sent, and which stand in messages. */
import { ConfigurationError } from '../errors.ts';
import { refusal, subjectOf } from './refusal.ts';

/** Whether a host name can only mean this machine (RFC 5735, RFC 6761). */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

/**
 * Throws `ConfigurationError` for a URL over plain HTTP that is not on this machine, unless `allowInsecure`; and for one
 * with a user name, password, query or fragment: it stands in messages, and none of them belongs there.
 */
export function requireSecureUrl(
  option: string,
  value: string,
  { allowInsecure = false }: { readonly allowInsecure?: boolean } = {},
): void {
  const takes = 'an https URL (plain http on loopback only)';
  const url = URL.canParse(value) ? new URL(value) : null;
  // It may be a token that was put in the wrong place.
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError(
      `${subjectOf(option)} takes ${takes}, got text that is none.`,
      option,
    );
  }
  if (url.protocol === 'http:' && !allowInsecure && !isLoopback(url.hostname)) {
    throw refusal(option, takes, url.origin);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new ConfigurationError(
      `${subjectOf(option)} takes a URL without a user name, password, query or fragment: leave them out of that for ${url.host}.`,
      option,
    );
  }
}

/** An issuer has no query and no fragment (RFC 8414 section 2). Throws `ConfigurationError`. */
export function requireSecureIssuer(issuer: string): void {
  requireSecureUrl('auth.issuer', issuer);
}

/** Without the slashes at its end: paths begin with one. */
export const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
