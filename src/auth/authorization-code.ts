/** What a person pastes after signing in: a code, or the address of the page that shows it. */
import { AuthenticationError } from '../errors.ts';

/** What copying puts around a text. */
const pairs = ['""', "''", '``', '<>', '“”', '‘’'] as const;

/**
 * The authorization code in what was pasted. `state` is compared where a whole address was pasted.
 * Throws `AuthenticationError` with the codes `AUTHORIZATION_CODE_MISSING`, `AUTHORIZATION_CODE_INVALID`,
 * `CONSENT_REFUSED` and `STATE_MISMATCH`.
 */
export function readAuthorizationCode(pasted: string, state: string): string {
  const text = tidied(pasted);
  const isAddress = /^https?:\/\//i.test(text) && URL.canParse(text);
  const params = isAddress ? new URL(text).searchParams : null;
  const error = params?.get('error') ?? null;
  if (error === 'access_denied') {
    throw failure('CONSENT_REFUSED', 'Consent was refused: no token was issued.');
  }
  if (error !== null) {
    const named = /^[a-z_]{1,40}$/.test(error) ? ` (${error})` : '';
    throw failure('AUTHORIZATION_CODE_INVALID', `Globus Auth did not sign in${named}.`);
  }
  const returned = params?.get('state') ?? null;
  if (returned !== null && returned !== state) {
    throw failure(
      'STATE_MISMATCH',
      'The pasted address belongs to another sign-in: open the address above, and paste what it leads to.',
    );
  }
  const code = params === null ? text : (params.get('code') ?? '');
  if (code === '') {
    throw failure('AUTHORIZATION_CODE_MISSING', 'No authorization code was given.');
  }
  // RFC 6749 appendix A.11: printable ASCII; a space means that something else was pasted.
  if (!/^[\x21-\x7e]{1,2048}$/.test(code)) {
    throw failure('AUTHORIZATION_CODE_INVALID', 'What was pasted is no authorization code.');
  }
  return code;
}

/** Without the quotes around it, and with the scheme that a browser's address bar leaves out. */
function tidied(pasted: string): string {
  const text = pasted.trim();
  const isQuoted = pairs.some(
    ([open = '', close = '']) => text.length > 1 && text.startsWith(open) && text.endsWith(close),
  );
  const inner = isQuoted ? text.slice(1, -1).trim() : text;
  // A host, a path and a query: no authorization code looks like that.
  return /^([\w.-]+|\[[\da-f:]+\])(:\d+)?\/[^\s?]*\?/i.test(inner) ? `https://${inner}` : inner;
}

const failure = (code: string, message: string): AuthenticationError =>
  new AuthenticationError(code, message, false);
