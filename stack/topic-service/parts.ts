/** What the routes work with. */
import type { AccessRights } from './access-rights.ts';
import type { Callers } from './callers.ts';
import type { ClaimedTopics } from './claimed-topics.ts';
import type { IntrospectionSettings } from './globus-introspection.ts';
import type { Namespaces } from './namespaces.ts';
import type { ServiceKeys } from './service-keys.ts';

export interface ServiceParts {
  readonly callers: Callers;
  readonly rights: AccessRights;
  readonly claimed: ClaimedTopics;
  readonly namespaces: Namespaces;
  readonly keys: ServiceKeys;
  readonly introspection: IntrospectionSettings;
  /** Issuer of Globus's tokens, which brokers compare. */
  readonly issuer: string;
  /** AWS region of the keys. */
  readonly region: string;
  /** Where Kafka takes OAUTHBEARER and SCRAM, as clients are told: `host:port`, several by comma. */
  readonly endpoint: string;
  readonly scramEndpoint: string;
  /** Where people reach the service, without a slash at the end. */
  readonly url: string;
}
