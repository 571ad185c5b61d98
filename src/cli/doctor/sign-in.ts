/** Signing in: at each bootstrap broker, and at each broker that the cluster names. */
import { performance } from 'node:perf_hooks';
import { Diagnostics } from '../../diagnostics.ts';
import type { ResolvedConnection } from '../../options.ts';
import type { BrokerAccess } from '../../services/broker-sign-in.ts';
import { addressText, type BrokerAddress } from '../../wire/broker-address.ts';
import type { Cluster } from '../../wire/cluster.ts';
import { openConnection } from '../../wire/open-connection.ts';
import { OpenSockets } from '../../wire/open-sockets.ts';
import { metadata } from '../../wire/requests/metadata.ts';
import { type Finding, ok, warning } from './examination.ts';
import { eachBroker, phaseTimeoutMs } from './reach.ts';

export interface SignInExamination {
  readonly options: ResolvedConnection;
  readonly access: BrokerAccess;
  readonly signal: AbortSignal;
}

/** Each in its own right: one that takes the sign-in says nothing of the others. */
export function examineSignIn(
  brokers: readonly BrokerAddress[],
  examination: SignInExamination,
): Promise<Finding<readonly BrokerAddress[]>> {
  const { access } = examination;
  const how = access.signIn?.mechanism ?? 'no sign-in';
  return eachBroker(brokers, async (broker) => {
    const startedAt = performance.now();
    const protection = await signInAt(broker, examination);
    const who = access.principal() === null ? '' : ` as ${access.principal()}`;
    const ms = Math.round(performance.now() - startedAt);
    return `${addressText(broker)}: ${how}${who}, ${protection}, ${ms} ms`;
  });
}

/**
 * Clients go on to whatever brokers the cluster names. Those that cannot be reached from here are the usual trouble of clusters behind
 * a proxy or in containers.
 */
export async function examineBrokers(
  cluster: Cluster,
  known: readonly BrokerAddress[],
  examination: SignInExamination,
): Promise<Finding<readonly BrokerAddress[]>> {
  const reply = await cluster.request(
    null,
    metadata,
    { topics: [] },
    { timeoutMs: phaseTimeoutMs },
  );
  const all = reply.brokers.map(({ host, port }) => ({ host, port }));
  const seen = new Set(known.map(addressText));
  const others = all.filter((broker) => !seen.has(addressText(broker)));
  const many = `${all.length} ${all.length === 1 ? 'broker' : 'brokers'} in cluster ${reply.clusterId ?? '(no id)'}: ${all.map(addressText).join(', ')}`;
  if (others.length === 0) return ok(all, many);
  const found = await eachBroker(others, async (broker) => {
    await signInAt(broker, examination);
    return `${addressText(broker)}: reached and signed in`;
  });
  const named = {
    text: `${many}: the cluster sends clients there`,
    advice: 'The names that brokers are advertised by (advertised.listeners) must work from here.',
  };
  if (found.status === 'ok') return ok(all, many);
  return found.status === 'failed' && others.length === all.length
    ? { ...found, notes: [named, ...found.notes] }
    : warning(all, named, ...found.notes);
}

/** Answers how the connection is protected. */
async function signInAt(
  broker: BrokerAddress,
  { options, access, signal }: SignInExamination,
): Promise<string> {
  const silent = new Diagnostics();
  const { connection, protection } = await openConnection({
    broker,
    clientId: options.clientId,
    tls: options.tls,
    signIn: access.signIn,
    timeoutMs: phaseTimeoutMs,
    sockets: new OpenSockets(),
    signal,
    report: () => undefined,
    announce: (...event) => silent.emit(...event),
  });
  try {
    // A client's certificate is refused only once something was read.
    await connection.request(metadata, { topics: [] }, { timeoutMs: phaseTimeoutMs });
    return protection;
  } finally {
    connection.destroy();
  }
}
