/** What any Kafka client needs to connect as this package does: the source of its configuration, in whichever format. */
import { ConfigurationError } from '../errors.ts';

/** A secret, and the environment variable that stands for it in a text that may be seen. */
export interface Secret {
  readonly variable: string;
  /** Null where it is not to be shown. */
  readonly value: string | null;
}

/** How the client signs in, by `auth.type`. `diaspora` is `aws-iam` (v3) or `scram` (v1), by then. */
export type ClientSignIn =
  | {
      readonly type: 'globus';
      readonly issuer: string;
      readonly oauthClientId: string;
      /** Null for a public client. */
      readonly oauthClientSecret: Secret | null;
      /** Null for a confidential client that signs in as itself. */
      readonly refreshToken: Secret | null;
    }
  | {
      readonly type: 'scram';
      readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: Secret;
    }
  | {
      readonly type: 'aws-iam';
      readonly region: string;
      /** Null where AWS's own ways find the credentials. */
      readonly accessKey: AccessKeySignIn | null;
      readonly profile: string | null;
    }
  | { readonly type: 'token'; readonly accessToken: Secret }
  | { readonly type: 'mtls' }
  | { readonly type: 'none' };

/** An AWS access key, as MSK IAM takes it. */
export interface AccessKeySignIn {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | null;
}

/** TLS by files, absolute. */
export interface ClientTls {
  /** PEM; null for the client's own list. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  /** PEM, PKCS8. */
  readonly keyFile: string | null;
  /** PKCS12. */
  readonly pfxFile: string | null;
  /** Of the key or the PKCS12 file. */
  readonly passphrase: Secret | null;
  readonly checkHostname: boolean;
  /** Whether the broker's certificate is checked at all. */
  readonly verify: boolean;
}

export interface ClientConnection {
  /** `host:port`, several by comma; null where nobody has said. */
  readonly bootstrapBrokers: string | null;
  readonly signIn: ClientSignIn;
  /** Null for plain text. */
  readonly tls: ClientTls | null;
}

/** SASL mechanism; null for none. */
export function saslMechanismOf({ type, ...signIn }: ClientSignIn): string | null {
  if (type === 'mtls' || type === 'none') return null;
  return 'mechanism' in signIn ? signIn.mechanism : 'OAUTHBEARER';
}

/** Kafka's name of how the client connects, such as `SASL_SSL`. */
export function securityProtocolOf({ signIn, tls }: ClientConnection): string {
  const layer = tls === null ? 'PLAINTEXT' : 'SSL';
  return saslMechanismOf(signIn) === null ? layer : `SASL_${layer}`;
}

/** Every secret of the connection that the client is given, in the order in which they are asked for. */
export function secretsOf({ signIn, tls }: ClientConnection): Secret[] {
  return [...signInSecrets(signIn), tls?.passphrase ?? null].filter((secret) => secret !== null);
}

function signInSecrets(signIn: ClientSignIn): (Secret | null)[] {
  switch (signIn.type) {
    case 'globus':
      return [signIn.refreshToken, signIn.oauthClientSecret];
    case 'scram':
      return [signIn.password];
    case 'aws-iam':
      return [signIn.accessKey?.secretAccessKey ?? null, signIn.accessKey?.sessionToken ?? null];
    case 'token':
      return [signIn.accessToken];
    default:
      return [];
  }
}

/** `key=value` lines are one line each. Throws `ConfigurationError`. */
export function requireOneLine(name: string, value: string): void {
  if ([...value].some((char) => char < ' ' || char === '\x7f')) {
    throw new ConfigurationError(`A value for ${name} may not hold control characters.`);
  }
}
