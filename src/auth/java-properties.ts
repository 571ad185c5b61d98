/** Connection properties for Kafka's Java clients, signed in with the same refresh token. */
import { access, chmod, constants, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigurationError, systemErrorCode } from '../errors.ts';
import { replaceFile } from './atomic-file.ts';
import { reasonOf } from './failure-reason.ts';
import { defaultIssuer, nativeAppClientId, tokenPath } from './globus-service.ts';

export interface JavaPropertiesOptions {
  /** A secret: it stands in the answer. */
  readonly refreshToken: string;
  /** Base URL of Globus Auth. Default `https://auth.globus.org`. */
  readonly issuer?: string;
  /** Default: the native app of the event service. */
  readonly oauthClientId?: string;
  /** Secret of a confidential client. */
  readonly oauthClientSecret?: string;
  /** `host:port`, several by comma. Left out, the file has a line to fill in. */
  readonly bootstrapBrokers?: string;
  /** Path of a PEM file with the certificates to trust. Default: Java's own. */
  readonly caFile?: string;
}

/** By this line the file is known as this package's own, and may be overwritten. */
const firstLine = '# Kafka connection properties, written by diaspora-logger.';

/**
 * Text of a `.properties` file for Kafka's Java clients with Strimzi's OAuth client
 * (`io.strimzi:kafka-oauth-client`) on the class path: Apache's own login handler knows no refresh
 * tokens. Throws `ConfigurationError` for a value with control characters.
 */
export function javaProperties(options: JavaPropertiesOptions): string {
  const tokenEndpoint = (options.issuer ?? defaultIssuer).replace(/\/+$/, '') + tokenPath;
  const jaasOptions: [string, string][] = [
    ['oauth.token.endpoint.uri', tokenEndpoint],
    ['oauth.client.id', options.oauthClientId ?? nativeAppClientId],
    ...(options.oauthClientSecret === undefined
      ? []
      : [['oauth.client.secret', options.oauthClientSecret] satisfies [string, string]]),
    ['oauth.refresh.token', options.refreshToken],
    ['oauth.access.token.is.jwt', 'false'],
  ];
  const jaas = [
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required',
    ...jaasOptions.map(([name, value]) => `${name}=${jaasQuoted(value, name)}`),
    ';',
  ].join(' ');
  const lines = [
    firstLine,
    '# It holds a refresh token: keep it to yourself.',
    '# Class path: io.strimzi:kafka-oauth-client. Kafka 4 also wants the JVM flag',
    `# -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${asciiOnly(tokenEndpoint)}`,
    options.bootstrapBrokers === undefined
      ? '#bootstrap.servers=host:port'
      : property('bootstrap.servers', options.bootstrapBrokers),
    property('security.protocol', 'SASL_SSL'),
    property('sasl.mechanism', 'OAUTHBEARER'),
    property(
      'sasl.login.callback.handler.class',
      'io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler',
    ),
    property('sasl.jaas.config', jaas),
    ...(options.caFile === undefined
      ? []
      : [
          property('ssl.truststore.type', 'PEM'),
          property('ssl.truststore.location', resolve(options.caFile)),
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Throws `ConfigurationError` where `writeJavaProperties` would, as far as that is known without principal and token. */
export async function checkJavaProperties(
  directory: string,
  options: Omit<JavaPropertiesOptions, 'refreshToken'>,
): Promise<void> {
  javaProperties({ ...options, refreshToken: '' });
  try {
    // The dot: a file of that name is no directory.
    await access(`${resolve(directory)}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigurationError(
      `Cannot write Java properties to the directory ${directory} (${reasonOf(error)}): make it, or choose another with --out.`,
    );
  }
}

/**
 * Writes them to `<principal>.properties`, mode 0600, and answers the path. Throws
 * `ConfigurationError` where a file of that name is there that this package did not write.
 */
export async function writeJavaProperties(
  directory: string,
  principal: string,
  options: JavaPropertiesOptions,
): Promise<string> {
  // A principal comes from outside: it names a file here, and never another directory.
  const name = principal.replace(/[^\w.@+-]/g, '_').replace(/^\.+/, '_') || 'diaspora';
  const path = join(directory, `${name}.properties`);
  const existing = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new ConfigurationError(`The file ${path} cannot be read, and is not overwritten.`);
  });
  if (existing !== null && !existing.startsWith(firstLine)) {
    throw new ConfigurationError(
      `The file ${path} was not written by diaspora-logger, and is not overwritten: move it, or choose another directory with --out.`,
    );
  }
  const content = javaProperties(options);
  try {
    // An existing file keeps its mode when it is replaced.
    if (existing !== null) await chmod(path, 0o600);
    await replaceFile(path, content, 0o600);
  } catch (error) {
    throw new ConfigurationError(`The file ${path} cannot be written (${reasonOf(error)}).`);
  }
  return path;
}

/** A value for Kafka's JAAS parser, a StreamTokenizer: within quotes a backslash escapes. */
function jaasQuoted(value: string, name: string): string {
  if (hasControlCharacter(value)) {
    throw new ConfigurationError(`A value for ${name} may not hold control characters.`);
  }
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** A line that java.util.Properties reads back as it was: its manual's `load(Reader)`. */
function property(key: string, value: string): string {
  if (hasControlCharacter(value)) {
    throw new ConfigurationError(`A value for ${key} may not hold control characters.`);
  }
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

/** Characters below the space, and delete. */
const hasControlCharacter = (value: string): boolean =>
  [...value].some((char) => char < ' ' || char === '\x7f');
