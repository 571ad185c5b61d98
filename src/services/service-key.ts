/** The keys that the Diaspora service gives out: what signs in to the brokers. */

/** Which generation of the service: its routes, its names and its keys differ. */
export type ApiVersion = 'v3' | 'v1';

/** An AWS-style access key (v3). Signed by it, MSK IAM tokens are the OAUTHBEARER credentials. */
export interface AccessKey {
  readonly version: 'v3';
  readonly accessKey: string;
  /** A secret. */
  readonly secretKey: string;
  /** Brokers that it is for, `host:port`, several by comma; empty where the service names none. */
  readonly endpoint: string;
  /** When it was made, as the service says it; null where that is not known. */
  readonly createdAt: string | null;
  /** Made just now: brokers may take seconds to a minute until they accept it. */
  readonly fresh: boolean;
}

/** A SCRAM-SHA-512 password (v1): the user name is the subject. */
export interface ScramKey {
  readonly version: 'v1';
  /** The subject: a UUID. */
  readonly username: string;
  /** A secret: the password. */
  readonly secretKey: string;
  /** Brokers, `host:port`, several by comma; null where nobody has said. */
  readonly endpoint: string | null;
  /** Made just now: brokers may take seconds to a minute until they accept it. */
  readonly fresh: boolean;
}

export type ServiceKey = AccessKey | ScramKey;

/** Whether brokers are shown the same. */
export const isSameKey = (one: ServiceKey, other: ServiceKey): boolean =>
  one.secretKey === other.secretKey &&
  (one.version === 'v3' ? one.accessKey : one.username) ===
    (other.version === 'v3' ? other.accessKey : other.username);

/** Whether brokers are shown the same, and at the same place. */
export const isSamePlaceAndKey = (one: ServiceKey, other: ServiceKey): boolean =>
  isSameKey(one, other) && (one.endpoint || null) === (other.endpoint || null);
