/** Who signed in, by the id_token of a token reply. */
import { AuthenticationError } from '../errors.ts';

export interface Identity {
  /** Claim `sub`: a UUID. */
  readonly subject: string;
  /** Claim `preferred_username`, such as `scientist@example.org`. */
  readonly username: string;
}

/**
 * Reads an id_token that came straight from the token endpoint: TLS vouches for it there, and its
 * signature need not be checked (OpenID Connect Core section 3.1.3.7, point 6); issuer and audience
 * are. Throws `AuthenticationError` with code `ID_TOKEN_INVALID`.
 */
export function readIdToken(idToken: string, issuer: string, clientId: string): Identity {
  const claims = claimsOf(idToken);
  const audience = claims['aud'];
  const audiences = Array.isArray(audience) ? audience : [audience];
  if (claims['iss'] !== issuer) throw invalid('another issuer');
  if (!audiences.includes(clientId)) throw invalid('another client');
  const subject = claims['sub'];
  const username = claims['preferred_username'] ?? claims['email'];
  if (typeof subject !== 'string' || subject === '') throw invalid('no subject');
  return { subject, username: typeof username === 'string' ? username : subject };
}

/** The principal: the user name up to the `@`. */
export function principalOf(username: string): string {
  return username.split('@', 1)[0] || username;
}

function claimsOf(idToken: string): Record<string, unknown> {
  try {
    const payload = idToken.split('.')[1] ?? '';
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims === 'object' && claims !== null) return { ...claims };
  } catch {
    // Said below: what it holds is nobody's to see.
  }
  throw invalid('no claims');
}

function invalid(what: string): AuthenticationError {
  return new AuthenticationError(
    'ID_TOKEN_INVALID',
    `Globus Auth answered with an id_token of ${what}.`,
    false,
  );
}
