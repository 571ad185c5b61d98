/** What another Kafka client needs to connect. */
import type { ServiceKey } from './service-key.ts';

interface ConnectionBase {
  /** `host:port`, several by comma; null where neither `DIASPORA_BOOTSTRAP` nor the service names any. */
  readonly bootstrapBrokers: string | null;
  readonly securityProtocol: 'SASL_SSL';
  /** v3's Kafka topics are `<namespace>.<topic>`. */
  readonly namespace: string;
  readonly subject: string;
}

/** Holds the key: a secret. */
export type ConnectionDetails =
  | (ConnectionBase & {
      /** The token is an MSK IAM token, signed by the access key. */
      readonly saslMechanism: 'OAUTHBEARER';
      /** AWS region that it is signed for. */
      readonly region: string;
      readonly accessKey: string;
      readonly secretKey: string;
    })
  | (ConnectionBase & {
      readonly saslMechanism: 'SCRAM-SHA-512';
      /** The subject. */
      readonly username: string;
      /** The key's secret. */
      readonly password: string;
    });

export function detailsOf(
  key: ServiceKey,
  {
    subject,
    namespace,
    region,
    named,
  }: {
    readonly subject: string;
    readonly namespace: string;
    readonly region: string;
    /** Brokers that the environment names. */
    readonly named: string | undefined;
  },
): ConnectionDetails {
  const base = {
    bootstrapBrokers: named || key.endpoint || null,
    securityProtocol: 'SASL_SSL',
    namespace,
    subject,
  } as const;
  if (key.version === 'v1') {
    const { username, secretKey: password } = key;
    return { ...base, saslMechanism: 'SCRAM-SHA-512', username, password };
  }
  const { accessKey, secretKey } = key;
  return { ...base, saslMechanism: 'OAUTHBEARER', region, accessKey, secretKey };
}
