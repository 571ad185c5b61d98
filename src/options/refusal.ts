/** The sentence that refuses a value. */
import { ConfigurationError } from '../errors.ts';

/** `Option "x" takes this, got that.` A name in capitals is an environment variable; what may be a secret is not shown. */
export function refusal(option: string, takes: string, got: unknown): ConfigurationError {
  const secret = /^(auth|tls)$|refreshToken$|secret|password|passphrase|^tls\./i.test(option);
  const seen =
    got === undefined
      ? 'nothing'
      : secret
        ? `a value of type ${got === null ? 'null' : typeof got}`
        : shown(got);
  const subject = /^[A-Z_]+$/.test(option)
    ? `Environment variable ${option}`
    : `Option "${option}"`;
  return new ConfigurationError(`${subject} takes ${takes}, got ${seen}.`, option);
}

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
