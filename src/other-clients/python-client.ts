/** Python source that connects with kafka-python or confluent-kafka as this package does: it runs as it stands. */
import { ConfigurationError } from '../errors.ts';
import {
  type ClientConnection,
  type ClientSignIn,
  type ClientTls,
  saslMechanismOf,
  securityProtocolOf,
} from './client-connection.ts';
import { type PythonPart, pythonSecret, pythonText, pythonToken } from './python-token.ts';

/** Python's two Kafka clients, by their names in the package index. */
export const pythonClients = ['kafka-python', 'confluent-kafka'] as const;
export type PythonClient = (typeof pythonClients)[number];

/** A line of a dictionary: the value is Python source. */
type Entry = readonly [key: string, source: string];

/**
 * Source of a program that writes one record, and whose `config` other programs import. A secret that is not shown is read
 * from its environment variable. Throws `ConfigurationError` for what the client cannot do.
 */
export function pythonClient(client: PythonClient, connection: ClientConnection): string {
  const parts = client === 'kafka-python' ? kafkaPython(connection) : confluentKafka(connection);
  const token = pythonToken(connection.signIn);
  const { bootstrapBrokers } = connection;
  if (bootstrapBrokers === null) {
    throw new ConfigurationError(
      'No broker: set --brokers or the environment variable DIASPORA_BOOTSTRAP to host:port.',
      'bootstrapBrokers',
    );
  }
  const imports = new Set(['sys', ...parts.imports, ...(token?.imports ?? [])]);
  const isFromEnvironment = parts.source.includes('os.environ');
  if (isFromEnvironment) imports.add('os');
  return [
    `# ${client} as diaspora-logger connects. pip install ${client}; then: python3 this_file.py TOPIC`,
    ...[...imports].sort().map((name) => `import ${name}`),
    '',
    parts.library,
    '',
    ...(token === null ? [] : [`\n${token.source}`]),
    parts.source,
  ].join('\n');
}

interface ClientPart extends PythonPart {
  /** The line that imports the client. */
  readonly library: string;
}

function kafkaPython(connection: ClientConnection): ClientPart {
  const { signIn, tls, bootstrapBrokers } = connection;
  const hasToken = pythonToken(signIn) !== null;
  const provider = hasToken
    ? `
class Tokens(AbstractTokenProvider):
    def token(self):
        return access_token()[0]


`
    : '\n';
  const context = tls === null ? null : sslContext(tls);
  return {
    imports: context === null ? [] : ['ssl'],
    library: hasToken
      ? 'from kafka import KafkaProducer\nfrom kafka.sasl.oauth import AbstractTokenProvider'
      : 'from kafka import KafkaProducer',
    source: `${provider}${context ?? ''}config = ${dictionary([
      ['bootstrap_servers', pythonText(bootstrapBrokers ?? '')],
      ['security_protocol', pythonText(securityProtocolOf(connection))],
      ...kafkaPythonSignIn(signIn),
      ...(context === null ? [] : [['ssl_context', 'context'] as const]),
    ])}

if __name__ == "__main__":
    producer = KafkaProducer(**config)
    stored = producer.send(sys.argv[1], b"hello from kafka-python").get(timeout=60)
    print(f"stored in partition {stored.partition} at offset {stored.offset}")
    producer.close()
`,
  };
}

function kafkaPythonSignIn(signIn: ClientSignIn): Entry[] {
  const mechanism = saslMechanismOf(signIn);
  if (mechanism === null) return [];
  const entry = ['sasl_mechanism', pythonText(mechanism)] as const;
  if (signIn.type !== 'scram') return [entry, ['sasl_oauth_token_provider', 'Tokens()']];
  return [
    entry,
    ['sasl_plain_username', pythonText(signIn.username)],
    ['sasl_plain_password', pythonSecret(signIn.password)],
  ];
}

/** Python's own, since kafka-python cannot name a passphrase's file and its own checks apart. */
function sslContext(tls: ClientTls): string {
  const { caFile, certFile, keyFile, pfxFile, passphrase, checkHostname, verify } = tls;
  requirePem('kafka-python', pfxFile);
  const ca = caFile === null ? '' : `cafile=${pythonText(caFile)}`;
  const password = passphrase === null ? '' : `, password=${pythonSecret(passphrase)}`;
  return [
    `context = ssl.create_default_context(${ca})`,
    ...(certFile === null || keyFile === null
      ? []
      : [`context.load_cert_chain(${pythonText(certFile)}, ${pythonText(keyFile)}${password})`]),
    ...(checkHostname && verify ? [] : ['context.check_hostname = False']),
    ...(verify ? [] : ['context.verify_mode = ssl.CERT_NONE']),
    '',
  ].join('\n');
}

function confluentKafka(connection: ClientConnection): ClientPart {
  const { signIn, tls, bootstrapBrokers } = connection;
  return {
    imports: [],
    library: 'from confluent_kafka import Producer',
    source: `
config = ${dictionary([
      ['bootstrap.servers', pythonText(bootstrapBrokers ?? '')],
      ['security.protocol', pythonText(securityProtocolOf(connection))],
      ...confluentSignIn(signIn),
      ...(tls === null ? [] : confluentTls(tls)),
    ])}


def report(error, record):
    if error is not None:
        sys.exit(f"not stored: {error}")
    print(f"stored in partition {record.partition()} at offset {record.offset()}")


if __name__ == "__main__":
    producer = Producer(config)
    producer.produce(sys.argv[1], b"hello from confluent-kafka", on_delivery=report)
    if producer.flush(60) > 0:
        sys.exit("not stored within a minute")
`,
  };
}

function confluentSignIn(signIn: ClientSignIn): Entry[] {
  const mechanism = saslMechanismOf(signIn);
  if (mechanism === null) return [];
  const entry = ['sasl.mechanism', pythonText(mechanism)] as const;
  if (signIn.type !== 'scram') return [entry, ['oauth_cb', 'lambda _: access_token()']];
  return [
    entry,
    ['sasl.username', pythonText(signIn.username)],
    ['sasl.password', pythonSecret(signIn.password)],
  ];
}

function confluentTls(tls: ClientTls): Entry[] {
  const { caFile, certFile, keyFile, pfxFile, passphrase } = tls;
  const key = pfxFile === null ? 'ssl.key.password' : 'ssl.keystore.password';
  const entries: readonly (readonly [key: string, source: string | null])[] = [
    ['ssl.ca.location', caFile && pythonText(caFile)],
    ['ssl.certificate.location', certFile && pythonText(certFile)],
    ['ssl.key.location', keyFile && pythonText(keyFile)],
    ['ssl.keystore.location', pfxFile && pythonText(pfxFile)],
    [key, passphrase && pythonSecret(passphrase)],
    ['ssl.endpoint.identification.algorithm', tls.checkHostname ? null : '"none"'],
    ['enable.ssl.certificate.verification', tls.verify ? null : 'False'],
  ];
  return entries.flatMap(([name, source]) => (source === null ? [] : [[name, source] as const]));
}

function requirePem(client: PythonClient, pfxFile: string | null): void {
  if (pfxFile === null) return;
  throw new ConfigurationError(
    `${client} reads no PKCS12: use --cert and --cert-key, or --python confluent-kafka.`,
    'tls.pfx',
  );
}

const dictionary = (entries: readonly Entry[]): string =>
  ['{', ...entries.map(([key, source]) => `    ${pythonText(key)}: ${source},`), '}'].join('\n');
