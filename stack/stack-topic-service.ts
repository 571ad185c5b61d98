/** The topic service as the local stack runs it: on loopback, with switches, and with Kafka as its super user. */

import { randomBytes } from 'node:crypto';
import type { Globus } from './globus.ts';
import type { Listener } from './server-properties.ts';
import type { RunningTopicService } from './topic-service/service.ts';

export interface StackTopicServiceSettings {
  readonly port: number;
  readonly introspectionPort: number;
  readonly keyDelayMs: number;
  readonly globus: Globus;
  /** Of the brokers, by listener. */
  readonly addresses: Readonly<Record<Listener, string>>;
  readonly brokerCount: number;
}

export const stackTopicServiceUrl = (port: number): string => `http://127.0.0.1:${port}`;

export async function startStackTopicService({
  port,
  introspectionPort,
  keyDelayMs,
  globus,
  addresses,
  brokerCount,
}: StackTopicServiceSettings): Promise<RunningTopicService> {
  const { issuer, introspectionUrl, resourceServer } = globus;
  // Loaded while Kafka starts, and not where only its client is needed: the framework takes half a second.
  const { startTopicService } = await import('./topic-service/service.ts');
  return startTopicService({
    host: '127.0.0.1',
    port,
    introspectionPort,
    url: stackTopicServiceUrl(port),
    issuer,
    introspection: { introspectionUrl, ...resourceServer },
    kafka: { brokers: addresses.INTERNAL, tls: null, scram: null },
    newTopics: {
      partitions: 1,
      replication: brokerCount,
      config: { 'min.insync.replicas': String(Math.max(1, brokerCount - 1)) },
    },
    serviceSecret: randomBytes(32).toString('hex'),
    // Where the public service's cluster is: its clients sign for no other.
    region: 'us-east-1',
    endpoint: addresses.OAUTH,
    scramEndpoint: addresses.SCRAM,
    keyDelayMs,
    switches: true,
    // Faults are what tests make: replies tell of them.
    log: () => {},
  });
}
