/** Configuration of kcat as text: what `kcat -F` reads, by librdkafka's names. */
import { ConfigurationError } from '../errors.ts';
import {
  type ClientConnection,
  type ClientSignIn,
  type ClientTls,
  requireOneLine,
  type Secret,
  saslMechanismOf,
  secretsOf,
  securityProtocolOf,
} from './client-connection.ts';

/** By this line the file is known as this package's own, and may be overwritten. */
export const kcatFirstLine = '# kcat configuration, written by diaspora-logger.';

type Property = readonly [key: string, value: string];

/**
 * Text of the file. A secret that is not shown is `$NAME`, which kcat does not replace by itself. Throws
 * `ConfigurationError` for what kcat cannot do: librdkafka makes tokens by itself, JWTs alone, and takes those of
 * others from a program's own code only (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).
 */
export function kcatConfig(connection: ClientConnection): string {
  const { bootstrapBrokers, signIn, tls } = connection;
  requirePassword(signIn);
  const hidden = secretsOf(connection).filter(({ value }) => value === null);
  const properties: Property[] = [
    ['security.protocol', securityProtocolOf(connection).toLowerCase()],
    ...signInProperties(signIn),
    ...(tls === null ? [] : tlsProperties(tls)),
  ];
  const lines = [
    kcatFirstLine,
    ...(hidden.length === 0
      ? []
      : [
          `# Put the value in place of ${hidden.map(({ variable }) => `$${variable}`).join(' and ')}: envsubst does that.`,
        ]),
    `# Lists the topics: ${kcatCommand(connection)}`,
    // https://github.com/confluentinc/librdkafka/pull/4895
    ...(signIn.type === 'scram'
      ? ['# For brokers of Kafka 4 its librdkafka must be 2.6.1 or newer: kcat -V tells.']
      : []),
    bootstrapBrokers === null
      ? '#bootstrap.servers=host:port'
      : line(['bootstrap.servers', bootstrapBrokers]),
    ...properties.map(line),
  ];
  return `${lines.join('\n')}\n`;
}

/** The command that lists the topics. The host name's check is no line of a file: `try_java_conf_set` of kcat.c ignores it there. */
export function kcatCommand({ tls }: ClientConnection): string {
  return tls?.checkHostname === false
    ? 'kcat -F kcat.conf -X ssl.endpoint.identification.algorithm=none -L'
    : 'kcat -F kcat.conf -L';
}

function requirePassword(signIn: ClientSignIn): void {
  if (saslMechanismOf(signIn) !== 'OAUTHBEARER') return;
  const tokens = signIn.type === 'aws-iam' ? 'signed by an AWS key' : 'of Globus';
  throw new ConfigurationError(
    `kcat cannot sign in with a token ${tokens}: it makes its tokens by itself, JWTs alone, and takes no other. Use "diaspora-logger tail" and "ship", or --python confluent-kafka, which is the same library with a place for the token; kcat signs in with a password (--auth scram, or --auth diaspora --api-version v1) or a client certificate (--auth mtls).`,
    'kcat',
  );
}

function signInProperties(signIn: ClientSignIn): Property[] {
  if (signIn.type !== 'scram') return [];
  return [
    ['sasl.mechanism', signIn.mechanism],
    ['sasl.username', signIn.username],
    ['sasl.password', shown(signIn.password)],
  ];
}

function tlsProperties(tls: ClientTls): Property[] {
  const { caFile, certFile, keyFile, pfxFile, passphrase } = tls;
  const files: readonly (readonly [key: string, value: string | null])[] = [
    ['ssl.ca.location', caFile],
    ['ssl.certificate.location', certFile],
    ['ssl.key.location', keyFile],
    ['ssl.keystore.location', pfxFile],
    [
      pfxFile === null ? 'ssl.key.password' : 'ssl.keystore.password',
      passphrase && shown(passphrase),
    ],
    ['enable.ssl.certificate.verification', tls.verify ? null : 'false'],
  ];
  return files.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
}

const shown = ({ variable, value }: Secret): string => value ?? `$${variable}`;

/** Longest line that kcat reads whole: `read_conf_file` of its kcat.c has 512 bytes for it, its end and a NUL. */
const longestLineBytes = 510;

/** kcat takes off spaces at both ends of a line, and the backslash of `\:` and `\=` wherever they stand: nothing escapes them. */
function line([key, value]: Property): string {
  requireOneLine(key, value);
  const text = `${key}=${value}`;
  if (value.trim() !== value) refuse(key, 'begins or ends with a space');
  if (/\\[:=]/.test(value)) refuse(key, 'has "\\:" or "\\="');
  if (Buffer.byteLength(text) > longestLineBytes) {
    refuse(key, `makes its line longer than ${longestLineBytes} bytes`);
  }
  return text;
}

function refuse(key: string, what: string): never {
  throw new ConfigurationError(
    `kcat cannot read a value for ${key} that ${what}: give it by "-X ${key}=…" instead.`,
    'kcat',
  );
}
