/** The local stack: a Globus stand-in, a real Kafka that trusts it, and the topic service, in one temporary directory. */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from './broker.ts';
import { type Certificates, createCertificates } from './certificates.ts';
import { freePorts } from './free-ports.ts';
import { type Globus, startGlobus } from './globus.ts';
import { javaClassPath, requireJava } from './jars.ts';
import { runKafkaTool } from './java-tools.ts';
import { type Advertise, createBrokers, killAll, startBrokers } from './kafka.ts';
import { announceSecret } from './secrets.ts';
import { listeners } from './server-properties.ts';
import {
  type ClientCertificate,
  connectStack,
  type StackClient,
  type StackCoordinates,
} from './stack-client.ts';
import { stackTopicServiceUrl, startStackTopicService } from './stack-topic-service.ts';
import { introspectionPath } from './topic-service/introspection-route.ts';
import type { RunningTopicService } from './topic-service/service.ts';

/** How a stack is started. */
export interface StackOptions {
  /** Default 1. Three: replication 3, `min.insync.replicas` 2. */
  readonly brokers?: 1 | 3;
  /** Added to each broker's `server.properties`; these win over the stack's own. */
  readonly kafkaProperties?: Readonly<Record<string, string>>;
  /** Added to each broker's JVM options; these win. */
  readonly javaOptions?: readonly string[];
  /** What brokers tell clients instead of their own addresses: for a proxy between them. */
  readonly advertise?: Advertise;
  /** Life of the stand-in's access tokens, in seconds. Default 172,800, as at Globus. */
  readonly accessTokenTtl?: number;
  /** `port`: default a free one. `keyDelayMs`: age from which on service keys are active, default 0; `stack.topicService` changes it. */
  readonly topicService?: { readonly port?: number; readonly keyDelayMs?: number };
  /** Receives a line for each step that takes long. */
  readonly onProgress?: (line: string) => void;
}

/** A stack that this process started, and that ends with it. */
export interface Stack extends StackClient, AsyncDisposable {
  readonly brokers: readonly Broker[];
  /** What another process needs for `connectStack`. */
  readonly coordinates: StackCoordinates;
  /** Ends everything and removes the directory. */
  stop(): Promise<void>;
}

/** The stand-in's default user, as brokers name it: the whole user name, as introspection answers it. */
const oauthPrincipal = 'scientist@example.org';

/**
 * Starts the stack. One broker serves after a few seconds; the first start in a checkout downloads
 * Kafka before.
 *
 * @throws MissingToolError where Java or Maven is missing.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { onProgress = () => {} } = options;
  await requireJava();
  const classPath = await javaClassPath(onProgress);
  // Real path: macOS's temporary directory is a link, and Kafka logs what it resolves to.
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'diaspora-stack-'));
  let globus: Globus | undefined;
  let brokers: readonly Broker[] = [];
  let topicService: RunningTopicService | undefined;
  const stop = async (): Promise<void> => {
    // First: keys that wait are still put into Kafka.
    await topicService?.stop();
    await killAll(brokers);
    await globus?.stop();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const certificates = await createCertificates('instrument');
    const caFile = join(directory, 'ca.pem');
    await writeFile(caFile, certificates.ca);
    globus = await startGlobus(
      options.accessTokenTtl === undefined ? {} : { accessTokenTtl: options.accessTokenTtl },
    );
    const { issuer, resourceServer } = globus;
    const scramUser = { username: 'station', password: randomBytes(12).toString('hex') };
    announceSecret({ kind: 'a SCRAM password', value: scramUser.password });
    const { port: wantedPort, keyDelayMs = 0 } = options.topicService ?? {};
    const wanted = wantedPort === undefined ? [] : [wantedPort];
    const [introspectionPort = 0, freePort = 0] = await freePorts(2, wanted);
    const [port = freePort] = wanted;
    const serviceUrl = stackTopicServiceUrl(port);
    const introspectionUrl = stackTopicServiceUrl(introspectionPort) + introspectionPath;
    onProgress(options.brokers === 3 ? 'Starting three brokers' : 'Starting Kafka');
    // Written while Kafka starts; awaited below, where its failure ends the brokers too.
    const clientCertificate = writeClientCertificate(directory, certificates);
    clientCertificate.catch(() => {});
    brokers = await createBrokers({
      directory: join(directory, 'kafka'),
      classPath,
      brokers: options.brokers ?? 1,
      caFile,
      certificate: certificates.broker,
      oauth: { issuer, introspectionUrl, ...resourceServer },
      scramUser,
      properties: options.kafkaProperties ?? {},
      javaOptions: options.javaOptions ?? [],
      advertise: options.advertise,
      reservedPorts: [port, introspectionPort],
    });
    const addresses = bootstrapServers(brokers);
    const [service, serving] = await Promise.allSettled([
      startStackTopicService({
        port,
        introspectionPort,
        keyDelayMs,
        globus,
        addresses,
        brokerCount: brokers.length,
      }),
      startBrokers(brokers),
    ]);
    // Both are awaited, so that `stop` ends the one where the other fails.
    if (service.status === 'rejected') throw service.reason;
    topicService = service.value;
    if (serving.status === 'rejected') throw serving.reason;
    const coordinates: StackCoordinates = {
      directory,
      brokerCount: brokers.length,
      bootstrapServers: addresses,
      issuer,
      serviceUrl,
      introspectionUrl,
      caFile,
      clientCertificate: await clientCertificate,
      scramUser,
      oauthPrincipal,
    };
    return {
      ...connectStack(coordinates),
      brokers,
      globus,
      coordinates,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function bootstrapServers(brokers: readonly Broker[]): StackCoordinates['bootstrapServers'] {
  const [INTERNAL = '', OAUTH = '', SCRAM = '', MTLS = ''] = listeners.map((listener) =>
    brokers.map(({ addresses }) => addresses[listener]).join(','),
  );
  return { INTERNAL, OAUTH, SCRAM, MTLS };
}

async function writeClientCertificate(
  directory: string,
  { client, expiredClient, ca }: Certificates,
): Promise<ClientCertificate> {
  const place = join(directory, 'client');
  await mkdir(place);
  const files = {
    certFile: join(place, 'cert.pem'),
    keyFile: join(place, 'key.pem'),
    pfxFile: join(place, 'client.p12'),
  };
  const expired = {
    certFile: join(place, 'expired-cert.pem'),
    keyFile: join(place, 'expired-key.pem'),
  };
  const chainFile = join(place, 'chain.pem');
  const passphrase = randomBytes(12).toString('hex');
  announceSecret({ kind: 'the passphrase of a PKCS12 file', value: passphrase });
  announceSecret({ kind: 'a private key', value: client.key });
  await writeFile(files.certFile, client.certificate);
  await writeFile(files.keyFile, client.key, { mode: 0o600 });
  await writeFile(expired.certFile, expiredClient.certificate);
  await writeFile(expired.keyFile, expiredClient.key, { mode: 0o600 });
  await writeFile(chainFile, client.certificate + ca);
  await runKafkaTool('WritePkcs12', [files.keyFile, chainFile, files.pfxFile, passphrase]);
  return { ...files, expired, passphrase, principal: 'instrument' };
}
