/** The sentence that refuses a value. */
import { ConfigurationError } from '../errors.ts';

const mayBeSecret =
  /^(auth|auth\.type|tls)$|(refresh|session)Token$|secret|password|passphrase|subject$|^tls\.(ca|cert|key|pfx)$/i;

/** `Option "x" takes this, got that.` A name in capitals is an environment variable; what may be a secret is not shown. */
export function refusal(option: string, takes: string, got: unknown): ConfigurationError {
  // A flag in quotes, as in `tls: 'true'`, is a usual slip; so is a mistyped type, and no token is so short.
  const slip = got === 'true' || got === 'false' || (option === 'auth.type' && isWord(got));
  const secret = mayBeSecret.test(option) && !slip;
  const seen =
    got === undefined
      ? 'nothing'
      : secret
        ? `a value of type ${got === null ? 'null' : typeof got}`
        : shown(got);
  return new ConfigurationError(`${subjectOf(option)} takes ${takes}, got ${seen}.`, option);
}

/** What a sentence about an option begins with. */
export function subjectOf(option: string): string {
  return /^[A-Z_]+$/.test(option) ? `Environment variable ${option}` : `Option "${option}"`;
}

const isWord = (value: unknown): boolean =>
  typeof value === 'string' && /^[a-z-]{1,16}$/i.test(value);

/** A value as an error message shows it, cut where it is long. */
export function shown(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Whether text is so plainly a path that it can be shown. Base64, of which keys are made, has no dots; and a key of its shortest form is longer than this. */
export function looksLikePath(value: string): boolean {
  return (
    value.length <= 200 &&
    /^[^\r\n]+$/.test(value) &&
    /^(\.{0,2}[\\/]|~[\\/]|[a-z]:[\\/])|\.(pem|crt|cer|key|der|p12|pfx)$/i.test(value)
  );
}
