/** From checked options to a cluster, and to a shipper for one topic: who signs in, and how. */
import { openTokenSource, type TokenSource } from '../auth/token-source.ts';
import { Shipper } from '../delivery/shipper.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { ResolvedAuth, ResolvedConnection, ResolvedTransport } from '../options.ts';
import { Cluster, type SignIn } from '../wire/cluster.ts';
import { KafkaDriver } from './driver.ts';

/** A cluster with all that lives and ends with it. */
export interface ClusterConnection {
  readonly cluster: Cluster;
  /** Null where sign-in takes no token. */
  readonly tokenSource: TokenSource | null;
  /** Who is signed in, for messages; null where only the broker knows. */
  principal(): string | null;
  /** Ends all connections and the token source. */
  close(): Promise<void>;
}

/** Connects nothing yet: connections are made when they are needed. Throws `ConfigurationError`. */
export function openCluster(
  options: ResolvedConnection,
  diagnostics: Diagnostics,
): ClusterConnection {
  const { auth, bootstrapBrokers, clientId, tls, requestTimeoutMs } = options;
  const tokenSource =
    auth.type === 'globus' || auth.type === 'token' ? openTokenSource({ auth, diagnostics }) : null;
  let cluster: Cluster;
  try {
    const signIn = signInFor(auth, tokenSource);
    cluster = new Cluster({
      bootstrapBrokers,
      clientId,
      tls,
      signIn,
      requestTimeoutMs,
      diagnostics,
    });
  } catch (error) {
    // A certificate that cannot be used: nobody else knows of the token source.
    tokenSource?.close();
    throw error;
  }
  return {
    cluster,
    tokenSource,
    principal: () => (auth.type === 'scram' ? auth.username : null),
    async close() {
      await cluster.close();
      tokenSource?.close();
    },
  };
}

/** A shipper with connections of its own, which its `close` ends. Throws `ConfigurationError`. */
export function openShipper(options: ResolvedTransport, diagnostics: Diagnostics): Shipper {
  const { cluster, principal, close } = openCluster(options, diagnostics);
  const { topic, acks, compression, requestTimeoutMs } = options;
  const settings = { topic, acks, compression, requestTimeoutMs };
  const driver = new KafkaDriver({ cluster, principal, onClose: close, ...settings });
  return new Shipper({ ...options, driver, diagnostics });
}

function signInFor(auth: ResolvedAuth, tokenSource: TokenSource | null): SignIn | null {
  if (tokenSource) {
    return {
      mechanism: 'OAUTHBEARER',
      token: () => tokenSource.token(),
      refused: (value) => tokenSource.refused(value),
    };
  }
  return auth.type === 'scram' ? auth : null;
}
