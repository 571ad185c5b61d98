/** From checked options to a cluster, and to a shipper for one topic. */
import { uncheckedTls } from '../broker-faults.ts';
import { Shipper } from '../delivery/shipper.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { ResolvedConnection, ResolvedTransport } from '../options.ts';
import { openBrokerAccess } from '../services/broker-sign-in.ts';
import { Cluster } from '../wire/cluster.ts';
import { KafkaDriver } from './driver.ts';

/** A cluster with all that lives and ends with it. */
export interface ClusterConnection {
  readonly cluster: Cluster;
  /** Who is signed in, for messages; null where only the broker knows. */
  principal(): string | null;
  /** Ends all connections, and the source of what they sign in with. */
  close(): Promise<void>;
}

/** Connects nothing yet: connections are made when they are needed. Throws `ConfigurationError`. */
export function openCluster(
  options: ResolvedConnection,
  diagnostics: Diagnostics,
): ClusterConnection {
  const { clientId, tls, requestTimeoutMs } = options;
  const access = openBrokerAccess(options, diagnostics);
  let cluster: Cluster;
  try {
    cluster = new Cluster({
      bootstrapBrokers: () => access.bootstrapBrokers(),
      clientId,
      tls,
      signIn: access.signIn,
      onReady: () => access.answered(),
      requestTimeoutMs,
      diagnostics,
    });
  } catch (error) {
    // A certificate that cannot be used: nobody else knows of what was opened.
    access.close();
    throw error;
  }
  const unchecked = uncheckedTls(tls);
  if (unchecked) diagnostics.emit(unchecked.code, unchecked.message);
  return {
    cluster,
    principal: () => access.principal(),
    async close() {
      await cluster.close();
      access.close();
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
