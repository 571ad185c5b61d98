/** Options that the environment sets. */
import { refusal } from './refusal.ts';
import type { Environment } from './types.ts';

/** An environment variable that is set to something. */
export const nonEmpty = (value: string | undefined): string | undefined =>
  value === undefined || value.trim() === '' ? undefined : value.trim();

/** The first of these variables that is set to something, as it should be. Throws `ConfigurationError` where it is not. */
export function fromEnvironment(
  env: Environment,
  names: readonly string[],
  { takes, test }: { readonly takes: string; test(value: string): boolean },
): string | undefined {
  for (const name of names) {
    const value = nonEmpty(env[name]);
    if (value === undefined) continue;
    if (!test(value)) throw refusal(name, takes, value);
    return value;
  }
  return undefined;
}
