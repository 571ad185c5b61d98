/** Connection properties for Kafka's Java clients: the file that is written for them. */
import { join, resolve } from 'node:path';
import { defaultIssuer, nativeAppClientId } from '../options.ts';
import type { ClientConnection } from './client-connection.ts';
import { firstLine, javaClientText } from './java-client.ts';
import { fileNameOf, requireDirectory, writeSecretFile } from './secret-file.ts';

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

/**
 * Text of a `.properties` file for Kafka's Java clients with Strimzi's OAuth client
 * (`io.strimzi:kafka-oauth-client`) on the class path: Apache's own login handler knows no refresh
 * tokens. Throws `ConfigurationError` for a value with control characters.
 */
export function javaProperties(options: JavaPropertiesOptions): string {
  return javaClientText(connectionOf(options));
}

/** Throws `ConfigurationError` where `writeJavaProperties` would, as far as that is known without principal and token. */
export async function checkJavaProperties(
  directory: string,
  options: Omit<JavaPropertiesOptions, 'refreshToken'>,
): Promise<void> {
  javaProperties({ ...options, refreshToken: '' });
  await requireDirectory(directory, 'Java properties');
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
  const path = join(directory, `${fileNameOf(principal)}.properties`);
  await writeSecretFile(path, javaProperties(options), firstLine);
  return path;
}

function connectionOf(options: JavaPropertiesOptions): ClientConnection {
  const { refreshToken, oauthClientSecret, caFile } = options;
  return {
    bootstrapBrokers: options.bootstrapBrokers ?? null,
    signIn: {
      type: 'globus',
      issuer: (options.issuer ?? defaultIssuer).replace(/\/+$/, ''),
      oauthClientId: options.oauthClientId ?? nativeAppClientId,
      oauthClientSecret:
        oauthClientSecret === undefined
          ? null
          : { variable: 'DIASPORA_SDK_CLIENT_SECRET', value: oauthClientSecret },
      refreshToken: { variable: 'DIASPORA_REFRESH', value: refreshToken },
    },
    tls: {
      caFile: caFile === undefined ? null : resolve(caFile),
      certFile: null,
      keyFile: null,
      pfxFile: null,
      passphrase: null,
      checkHostname: true,
      verify: true,
    },
  };
}
