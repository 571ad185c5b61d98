/** Configuration of Kafka's Java clients as text: a `.properties` file that they load as it stands. */
import { readFileSync } from 'node:fs';
import { eventServiceScope, tokenPath } from '../auth/globus-service.ts';
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
export const firstLine = '# Kafka connection properties, written by diaspora-logger.';

const oauthLogin = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule';
const scramLogin = 'org.apache.kafka.common.security.scram.ScramLoginModule';

/** Java reads such a reference when the client starts: https://kafka.apache.org/documentation/#config_providers */
const providers = {
  env: 'org.apache.kafka.common.config.provider.EnvVarConfigProvider',
  dir: 'org.apache.kafka.common.config.provider.DirectoryConfigProvider',
} as const;

type Property = readonly [key: string, value: string];

/**
 * Text of the file. A secret that is not shown is read from its environment variable by the client itself (Kafka 3.5 or
 * newer). Throws `ConfigurationError` for what Java clients cannot do, and for a value with control characters; reads the
 * key's file to tell.
 */
export function javaClientText(connection: ClientConnection): string {
  const { bootstrapBrokers, signIn, tls } = connection;
  const properties = [
    ['security.protocol', securityProtocolOf(connection)] as const,
    ...signInProperties(signIn),
    ...(tls === null ? [] : tlsProperties(tls)),
  ];
  const used = providersOf(properties);
  const lines = [
    firstLine,
    ...comments(connection).map((comment) => `# ${asciiOnly(comment)}`),
    bootstrapBrokers === null
      ? '#bootstrap.servers=host:port'
      : property(['bootstrap.servers', bootstrapBrokers]),
    ...[...properties, ...used].map(property),
  ];
  return `${lines.join('\n')}\n`;
}

function comments({ signIn, tls }: ClientConnection): string[] {
  return [
    ...secretComments({ bootstrapBrokers: null, signIn, tls }),
    // https://github.com/openjdk/jdk/pull/8615: PBES2, OpenSSL's default.
    ...(tls?.keyFile && tls.passphrase ? ['An encrypted key wants Java 19 or newer.'] : []),
    ...librariesOf(signIn),
  ];
}

/** Of the secrets that the file itself holds or reads; AWS's library takes them from the environment by its own names. */
function secretComments(connection: ClientConnection): string[] {
  const inFile = secretsOf(connection).filter(({ variable }) => !variable.startsWith('AWS_'));
  if (inFile.some(({ value }) => value !== null)) {
    const what = connection.signIn.type === 'globus' ? 'a refresh token' : 'a secret';
    return [`It holds ${what}: keep it to yourself.`];
  }
  const names = inFile.map(({ variable }) => variable).join(', ');
  if (names === '') return [];
  const { signIn } = connection;
  return [
    `It reads from the environment: ${names} (Kafka 3.5 or newer).`,
    // Java puts the value in before it reads the line: tokens have neither.
    ...(signIn.type === 'scram' && signIn.password.value === null
      ? [`In ${signIn.password.variable}, put a backslash before each " and \\.`]
      : []),
  ];
}

function librariesOf(signIn: ClientSignIn): string[] {
  switch (signIn.type) {
    case 'globus':
      return [
        'Class path: io.strimzi:kafka-oauth-client. Kafka 4 also wants the JVM flag',
        `-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${signIn.issuer}${tokenPath}`,
      ];
    case 'token':
      return ['Class path: io.strimzi:kafka-oauth-client.'];
    case 'aws-iam':
      return [
        'Class path: software.amazon.msk:aws-msk-iam-auth. It takes from the environment:',
        ...awsEnvironment(signIn),
      ];
    default:
      return [];
  }
}

function awsEnvironment({ region, accessKey }: ClientSignIn & { type: 'aws-iam' }): string[] {
  const exported = ({ variable, value }: Secret): string => `${variable}=${value ?? '(a secret)'}`;
  return [
    `AWS_REGION=${region}`,
    ...(accessKey === null
      ? []
      : [`AWS_ACCESS_KEY_ID=${accessKey.accessKeyId}`, exported(accessKey.secretAccessKey)]),
    ...(accessKey?.sessionToken ? [exported(accessKey.sessionToken)] : []),
  ];
}

function signInProperties(signIn: ClientSignIn): Property[] {
  const mechanism = saslMechanismOf(signIn);
  if (mechanism === null) return [];
  const handler = loginHandlerOf(signIn);
  return [
    ['sasl.mechanism', mechanism],
    ...(handler === null ? [] : [['sasl.login.callback.handler.class', handler] as const]),
    ['sasl.jaas.config', jaasOf(signIn)],
  ];
}

/** Apache's own login handler knows no refresh tokens, and no tokens but JWTs. */
function loginHandlerOf({ type }: ClientSignIn): string | null {
  if (type === 'scram') return null;
  return type === 'aws-iam'
    ? 'software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler'
    : 'io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler';
}

function jaasOf(signIn: ClientSignIn): string {
  const options = jaasOptions(signIn).map(([name, value]) => `${name}=${jaasQuoted(value, name)}`);
  const login = signIn.type === 'scram' ? scramLogin : oauthLogin;
  return [`${login} required`, ...options, ';'].join(' ');
}

function jaasOptions(signIn: ClientSignIn): Property[] {
  switch (signIn.type) {
    case 'globus':
      return [
        ['oauth.token.endpoint.uri', signIn.issuer + tokenPath],
        ['oauth.client.id', signIn.oauthClientId],
        ...optional('oauth.client.secret', signIn.oauthClientSecret),
        ...optional('oauth.refresh.token', signIn.refreshToken),
        ...(signIn.refreshToken === null ? [['oauth.scope', eventServiceScope] as const] : []),
        ['oauth.access.token.is.jwt', 'false'],
      ];
    case 'scram':
      return [
        ['username', signIn.username],
        ['password', reference(signIn.password)],
      ];
    case 'aws-iam':
      return signIn.profile === null ? [] : [['awsProfileName', signIn.profile]];
    case 'token':
      return [
        ['oauth.access.token', reference(signIn.accessToken)],
        ['oauth.access.token.is.jwt', 'false'],
      ];
    default:
      return [];
  }
}

const optional = (name: string, secret: Secret | null): Property[] =>
  secret === null ? [] : [[name, reference(secret)]];

/** The secret, or what Java puts it in place of. */
const reference = ({ variable, value }: Secret): string => value ?? `\${env:${variable}}`;

function tlsProperties(tls: ClientTls): Property[] {
  if (!tls.verify) {
    throw new ConfigurationError(
      "Java clients always check the broker's certificate: leave out tls.rejectUnauthorized: false, and name the authority with --ca.",
      'tls.rejectUnauthorized',
    );
  }
  return [
    ...(tls.caFile === null
      ? []
      : ([
          ['ssl.truststore.type', 'PEM'],
          ['ssl.truststore.location', tls.caFile],
        ] as const)),
    ...keystoreProperties(tls),
    ...(tls.checkHostname ? [] : [['ssl.endpoint.identification.algorithm', ''] as const]),
  ];
}

/** Java wants certificate and key in one file, or as text: two files are read by reference, so that the key stays where it is. */
function keystoreProperties({ certFile, keyFile, pfxFile, passphrase }: ClientTls): Property[] {
  if (pfxFile !== null) {
    return [
      ['ssl.keystore.type', 'PKCS12'],
      ['ssl.keystore.location', pfxFile],
      ...optional('ssl.keystore.password', passphrase),
      ...optional('ssl.key.password', passphrase),
    ];
  }
  if (certFile === null || keyFile === null) return [];
  requirePkcs8(keyFile);
  return [
    ['ssl.keystore.type', 'PEM'],
    ['ssl.keystore.certificate.chain', fileReference(certFile)],
    ['ssl.keystore.key', fileReference(keyFile)],
    ...optional('ssl.key.password', passphrase),
  ];
}

/** The form of PEM keys that Java reads: https://kafka.apache.org/documentation/#brokerconfigs_ssl.keystore.key */
function requirePkcs8(keyFile: string): void {
  // RFC 7468, sections 10 and 11: PKCS8 names no algorithm in its label, as OpenSSL's older forms do.
  const [, older] =
    /^-----BEGIN (?!ENCRYPTED )(\S+ )PRIVATE KEY-----/m.exec(readFileSync(keyFile, 'latin1')) ?? [];
  if (older === undefined) return;
  throw new ConfigurationError(
    `Java clients read PEM keys in PKCS8 alone, and ${keyFile} has "BEGIN ${older}PRIVATE KEY". Convert it by "openssl pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem", or use PKCS12 with --pfx.`,
    'tls.key',
  );
}

/** `dir` separates the directory from the file by a colon. */
function fileReference(path: string): string {
  const cut = path.lastIndexOf('/');
  const directory = path.slice(0, cut) || '/';
  if (/[:}]/.test(path)) {
    throw new ConfigurationError(
      `Java clients cannot read ${path}: a path of theirs has neither ":" nor "}". Name a copy of it, or use PKCS12 with --pfx.`,
      'tls.key',
    );
  }
  return `\${dir:${directory}:${path.slice(cut + 1)}}`;
}

/** What resolves the references, where there are any. */
function providersOf(properties: readonly Property[]): Property[] {
  const names = (['env', 'dir'] as const).filter((name) =>
    properties.some(([, value]) => value.includes(`\${${name}:`)),
  );
  if (names.length === 0) return [];
  return [
    ['config.providers', names.join(',')],
    ...names.map((name) => [`config.providers.${name}.class`, providers[name]] as const),
  ];
}

/** A value for Kafka's JAAS parser, a StreamTokenizer: within quotes a backslash escapes. */
function jaasQuoted(value: string, name: string): string {
  requireOneLine(name, value);
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** A line that java.util.Properties reads back as it was: its manual's `load(Reader)`. */
function property([key, value]: Property): string {
  requireOneLine(key, value);
  const escaped = value.replace(/\\/g, '\\\\').replace(/^ /, '\\ ');
  return `${key}=${asciiOnly(escaped)}`;
}

/** The file is read as ISO 8859-1 by Java 8's loader and as UTF-8 by others: ASCII is the same in both. */
function asciiOnly(text: string): string {
  // UTF-16 code units, one escape each: Java's own form.
  return [...text]
    .flatMap((char) => Array.from({ length: char.length }, (_, index) => char.charCodeAt(index)))
    .map((unit) =>
      unit > 0x7e ? `\\u${unit.toString(16).padStart(4, '0')}` : String.fromCharCode(unit),
    )
    .join('');
}
