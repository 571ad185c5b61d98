/** A real Kafka: one KRaft broker, or three that replicate to each other. */

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Broker, createBroker } from './broker.ts';
import type { Certificate } from './certificates.ts';
import { freePorts } from './free-ports.ts';
import {
  type Address,
  type Listener,
  listeners,
  type OAuthSettings,
  serverProperties,
} from './server-properties.ts';

/** A user of the SCRAM listener. */
export interface ScramUser {
  readonly username: string;
  readonly password: string;
}

/**
 * Tells what clients are told instead of a broker's own address: where a proxy of the caller's
 * listens that leads there.
 */
export type Advertise = (
  listener: Listener,
  brokerId: number,
  address: Address,
) => Address | Promise<Address>;

/** What a cluster is made from. */
export interface KafkaSettings {
  readonly directory: string;
  readonly classPath: string;
  readonly brokers: 1 | 3;
  readonly caFile: string;
  readonly certificate: Certificate;
  readonly oauth: OAuthSettings;
  readonly scramUser: ScramUser;
  /** Added to each broker's properties; these win. */
  readonly properties: Readonly<Record<string, string>>;
  /** Added to each JVM's options; these win. */
  readonly javaOptions: readonly string[];
  readonly advertise: Advertise | undefined;
  /** Ports that brokers must not take. */
  readonly reservedPorts: readonly number[];
}

/** The JVM's options for a broker that must start soon, beside others on a small machine. */
function brokerJavaOptions(introspectionUrl: string): string[] {
  return [
    '-Xms128m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    // Kafka 4 asks no URL about tokens that is not named here.
    `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${introspectionUrl}`,
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
    '-Dorg.slf4j.simpleLogger.showThreadName=false',
    // Hundreds of lines with every setting, at each start.
    '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn',
    '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn',
    '-Djava.awt.headless=true',
  ];
}

/** Starts all brokers, and answers when each of them serves. Where one does not, all are ended. */
export async function startBrokers(brokers: readonly Broker[]): Promise<void> {
  const starts = await Promise.allSettled(brokers.map((broker) => broker.start()));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed) {
    await killAll(brokers);
    throw failed.reason;
  }
}

/** Ends every broker at once, keeping nothing: a cluster has nobody left to hand its leaders to. */
export async function killAll(brokers: readonly Broker[]): Promise<void> {
  await Promise.all(brokers.map((broker) => broker.kill()));
}

/** Writes each broker's files and chooses its ports; `startBrokers` starts them. */
export async function createBrokers(settings: KafkaSettings): Promise<readonly Broker[]> {
  const { directory, oauth, scramUser } = settings;
  await mkdir(directory, { recursive: true });
  const keyStoreFile = join(directory, 'broker.pem');
  const { certificate } = settings;
  await writeFile(keyStoreFile, certificate.key + certificate.certificate, { mode: 0o600 });
  const ids = Array.from({ length: settings.brokers }, (_, index) => index + 1);
  const perBroker = listeners.length + 1;
  const free = await freePorts(perBroker * ids.length, settings.reservedPorts);
  const portsOf = (id: number): number[] => free.slice((id - 1) * perBroker, id * perBroker);
  const controllerPorts = new Map(ids.map((id) => [id, portsOf(id)[listeners.length] ?? 0]));
  const clusterId = randomBytes(16).toString('base64url');
  const credentials = `name=${scramUser.username},password=${scramUser.password}`;

  return Promise.all(
    ids.map(async (id) => {
      const brokerDirectory = join(directory, `broker-${id}`);
      const dataDirectory = join(brokerDirectory, 'data');
      const ports = byListener((_, index) => portsOf(id)[index] ?? 0);
      const advertised = await advertisedAddresses(id, ports, settings.advertise);
      return createBroker({
        id,
        clusterId,
        directory: brokerDirectory,
        dataDirectory,
        properties: serverProperties({
          id,
          controllerPorts,
          ports,
          advertised,
          dataDirectory,
          keyStoreFile,
          caFile: settings.caFile,
          oauth,
          overrides: settings.properties,
        }),
        addresses: byListener((name) => `${advertised[name].host}:${advertised[name].port}`),
        scramCredentials: [`SCRAM-SHA-256=[${credentials}]`, `SCRAM-SHA-512=[${credentials}]`],
        classPath: settings.classPath,
        javaOptions: [...brokerJavaOptions(oauth.introspectionUrl), ...settings.javaOptions],
      });
    }),
  );
}

async function advertisedAddresses(
  id: number,
  ports: Readonly<Record<Listener, number>>,
  advertise: Advertise | undefined,
): Promise<Record<Listener, Address>> {
  const own = byListener((name) => ({
    // A name where there is TLS, as in the field; an address where there is none.
    host: name === 'INTERNAL' ? '127.0.0.1' : 'localhost',
    port: ports[name],
  }));
  if (!advertise) return own;
  const told = await Promise.all(listeners.map((name) => advertise(name, id, own[name])));
  return byListener((name, index) => told[index] ?? own[name]);
}

function byListener<T>(make: (name: Listener, index: number) => T): Record<Listener, T> {
  return {
    INTERNAL: make('INTERNAL', listeners.indexOf('INTERNAL')),
    OAUTH: make('OAUTH', listeners.indexOf('OAUTH')),
    SCRAM: make('SCRAM', listeners.indexOf('SCRAM')),
    MTLS: make('MTLS', listeners.indexOf('MTLS')),
  };
}
