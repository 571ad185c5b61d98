/** From connection options to those of the service client. */
import type { ConnectionOptions } from '../options.ts';
import type { DiasporaClientOptions } from '../services/diaspora-client.ts';

/** Who asks the Diaspora service, where `auth` is of type `diaspora`; else the defaults. */
export function serviceOptions(connection: ConnectionOptions): DiasporaClientOptions {
  const { auth, allowInsecureToken, requestTimeoutMs } = connection;
  const { type: _, ...account } = auth?.type === 'diaspora' ? auth : { type: 'diaspora' as const };
  return {
    ...account,
    ...(allowInsecureToken !== undefined && { allowInsecureToken }),
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs }),
  };
}
