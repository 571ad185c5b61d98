/** The service keys that this machine holds. */
import type { ServiceKey } from '../services/diaspora-client.ts';
import { type ServiceFlags, withClient } from './service-flags.ts';

/** Of both versions. One that cannot be read is not shown: where it matters, the sign-in says so. */
export async function storedKeys(flags: ServiceFlags): Promise<ServiceKey[]> {
  const keys: (ServiceKey | null)[] = [];
  for (const apiVersion of ['v3', 'v1'] as const) {
    const key = await withClient({ ...flags, apiVersion }, async (client) =>
      // What is stored is answered without asking the service.
      (await client.getSecretKey()) === null ? null : await client.retrieveKey(),
    ).catch(() => null);
    keys.push(key);
  }
  return keys.filter((key) => key !== null);
}
