/** How the service signs in to Kafka as its administrator: for kafkajs, and for Kafka's own admin client. */
import type { KafkaConfig } from 'kafkajs';

export interface KafkaAccess {
  /** `host:port`, several by comma. */
  readonly brokers: string;
  /** PEM texts; null is plain text. Without `ca`, the system's authorities are trusted. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  /** SCRAM-SHA-512. */
  readonly scram: { readonly username: string; readonly password: string } | null;
}

export function kafkajsAccess({
  brokers,
  tls,
  scram,
}: KafkaAccess): Pick<KafkaConfig, 'brokers' | 'ssl' | 'sasl'> {
  return {
    brokers: brokers.split(','),
    ...(tls && { ssl: { ...tls } }),
    ...(scram && { sasl: { mechanism: 'scram-sha-512', ...scram } }),
  };
}

/** https://kafka.apache.org/43/configuration/admin-configs/ */
export function javaAccess({ brokers, tls, scram }: KafkaAccess): Record<string, string> {
  const protocol = `${scram ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`;
  return {
    'bootstrap.servers': brokers,
    'security.protocol': protocol,
    ...(tls?.ca !== undefined && {
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': tls.ca,
    }),
    ...(tls?.cert !== undefined &&
      tls.key !== undefined && {
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.certificate.chain': tls.cert,
        'ssl.keystore.key': tls.key,
      }),
    ...(scram && {
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username=${quoted(scram.username)} password=${quoted(scram.password)} ;`,
    }),
  };
}

/** As JAAS reads a text in quotes. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
