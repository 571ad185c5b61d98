/** The local stack: a Globus stand-in and a real Kafka that trusts it, in one temporary directory. */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from './broker.ts';
import { type Certificates, createCertificates } from './certificates.ts';
import { type Globus, startGlobus } from './globus.ts';
import { javaClassPath, requireJava } from './jars.ts';
import { runKafkaTool } from './java-tools.ts';
import { type Advertise, killAll, startKafka } from './kafka.ts';
import { announceSecret } from './secrets.ts';
import { listeners } from './server-properties.ts';
import {
  type ClientCertificate,
  connectStack,
  type StackClient,
  type StackCoordinates,
} from './stack-client.ts';

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
  const stop = async (): Promise<void> => {
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
    const { issuer, introspectionUrl, resourceServer } = globus;
    const scramUser = { username: 'station', password: randomBytes(12).toString('hex') };
    announceSecret({ kind: 'a SCRAM password', value: scramUser.password });
    onProgress(options.brokers === 3 ? 'Starting three brokers' : 'Starting Kafka');
    // Written while Kafka starts; awaited below, where its failure ends the brokers too.
    const clientCertificate = writeClientCertificate(directory, certificates);
    clientCertificate.catch(() => {});
    brokers = await startKafka({
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
    });
    const coordinates: StackCoordinates = {
      directory,
      brokerCount: brokers.length,
      bootstrapServers: bootstrapServers(brokers),
      issuer,
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
  { client, ca }: Certificates,
): Promise<ClientCertificate> {
  const place = join(directory, 'client');
  await mkdir(place);
  const files = {
    certFile: join(place, 'cert.pem'),
    keyFile: join(place, 'key.pem'),
    pfxFile: join(place, 'client.p12'),
  };
  const chainFile = join(place, 'chain.pem');
  const passphrase = randomBytes(12).toString('hex');
  announceSecret({ kind: 'the passphrase of a PKCS12 file', value: passphrase });
  announceSecret({ kind: 'a private key', value: client.key });
  await writeFile(files.certFile, client.certificate);
  await writeFile(files.keyFile, client.key, { mode: 0o600 });
  await writeFile(chainFile, client.certificate + ca);
  await runKafkaTool('WritePkcs12', [files.keyFile, chainFile, files.pfxFile, passphrase]);
  return { ...files, passphrase, principal: 'instrument' };
}
