/** The app's own hook between its log calls and delivery. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '../errors.ts';
import { messageOf, toJson } from './json.ts';
import { asFields, type Fields } from './record-builder.ts';

/**
 * Default export of a `transform` module. Gets a record of its own, which it may change, and answers
 * at once: a record or a string to ship, or null to leave it out.
 */
export type Transform = (record: Record<string, unknown>) => object | string | null;

/** What became of a record in the transform. `fields` is null where it answered a string. */
export type Transformed =
  | { readonly kind: 'shipped'; readonly value: string; readonly fields: Fields | null }
  | { readonly kind: 'filtered' }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Loads the module at once, so that what is wrong with it is known at start. Throws `ConfigurationError` where
 * it cannot be loaded, waits for something at its top level, or has no function as its default export.
 */
export function loadTransform(url: string): (record: Record<string, unknown>) => unknown {
  let found: unknown;
  try {
    found = createRequire(import.meta.url)(fileURLToPath(url));
  } catch (cause) {
    const asynchronous =
      cause instanceof Error && 'code' in cause && cause.code === 'ERR_REQUIRE_ASYNC_MODULE';
    throw new ConfigurationError(
      asynchronous
        ? `Option "transform": ${url} uses top-level await; a transform must be there at once.`
        : `Option "transform": ${url} cannot be loaded (${messageOf(cause)}).`,
      'transform',
      { cause },
    );
  }
  // Compiled modules may carry their default export one level deeper.
  for (let depth = 0; depth < 2 && asFields(found) && typeof found !== 'function'; depth += 1) {
    found = asFields(found)?.['default'];
  }
  if (!isFunction(found)) {
    throw new ConfigurationError(
      `Option "transform": ${url} has no function as its default export.`,
      'transform',
    );
  }
  return found;
}

/** Calls the transform with a copy of the record, and takes whatever it does as one of three outcomes. Never throws. */
export function applyTransform(
  transform: (record: Record<string, unknown>) => unknown,
  fields: Fields,
): Transformed {
  try {
    const result = transform({ ...fields });
    if (result === null) return { kind: 'filtered' };
    if (typeof result === 'string') return { kind: 'shipped', value: result, fields: null };
    if (result instanceof Promise) {
      // Its outcome comes too late to matter, and must not become an unhandled rejection.
      result.catch(() => undefined);
      return {
        kind: 'failed',
        message: 'the transform answered a promise: it must answer at once',
      };
    }
    const changed = asFields(result);
    if (changed) return { kind: 'shipped', value: toJson(changed), fields: changed };
    return {
      kind: 'failed',
      message: `the transform answered a value of type ${Array.isArray(result) ? 'array' : typeof result}: it takes an object, a string or null`,
    };
  } catch (error) {
    return { kind: 'failed', message: `the transform threw: ${messageOf(error)}` };
  }
}

function isFunction(value: unknown): value is (...given: unknown[]) => unknown {
  return typeof value === 'function';
}
