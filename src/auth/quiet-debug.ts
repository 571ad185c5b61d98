/** Keeps secrets out of what the package `debug` prints. */
import { createRequire } from 'node:module';
import createDebug from 'debug';

type Debug = Pick<typeof createDebug, 'enabled' | 'enable' | 'disable'>;

/**
 * simple-oauth2 hands each request, secrets and all, to the package `debug`, and `DEBUG=*` would
 * print it: its namespaces are switched off, the others stay.
 */
export function keepRequestsFromDebug(): void {
  const namespaces = ['simple-oauth2:client', 'simple-oauth2:request-options'];
  for (const debug of new Set([createDebug, debugOfSimpleOauth()])) {
    if (namespaces.some((name) => debug.enabled(name))) {
      debug.enable(`${debug.disable()},-simple-oauth2:*`);
    }
  }
}

/** Where an app has several copies of `debug`, simple-oauth2's need not be the one that is imported here. */
function debugOfSimpleOauth(): Debug {
  try {
    const near = createRequire(createRequire(import.meta.url).resolve('simple-oauth2'));
    const found: unknown = near('debug');
    return isDebug(found) ? found : createDebug;
  } catch {
    // In a bundle there are no packages to look for.
    return createDebug;
  }
}

const isDebug = (value: unknown): value is Debug =>
  typeof value === 'function' && 'enabled' in value && 'enable' in value && 'disable' in value;
