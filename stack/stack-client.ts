/** A running stack as its users see it, from any process: the coordinates of it are plain JSON. */

import { type Administration, administration } from './administration.ts';
import { connectGlobus, type Globus } from './globus.ts';
import type { ScramUser } from './kafka.ts';
import { type ReadTopicOptions, readTopic, type TopicRecord } from './read-topic.ts';
import type { Listener } from './server-properties.ts';
import { connectTopicService, type TopicService } from './topic-service/client.ts';

/** A client's certificate, in the two forms that users have it. */
export interface ClientCertificate {
  /** PEM. */
  readonly certFile: string;
  /** PEM, PKCS8. */
  readonly keyFile: string;
  /** PKCS12 with both, as Java's keytool writes it. */
  readonly pfxFile: string;
  /** Of `pfxFile`. */
  readonly passphrase: string;
  /** One of the same client's of which the time is over. PEM, and PEM, PKCS8. */
  readonly expired: { readonly certFile: string; readonly keyFile: string };
  /** Who the broker takes the client for, without `User:`. */
  readonly principal: string;
}

/** Where a stack is, and what signs one in there. */
export interface StackCoordinates {
  /** Everything that the stack keeps. */
  readonly directory: string;
  readonly brokerCount: number;
  /** `host:port` of each broker by comma, by listener. */
  readonly bootstrapServers: Readonly<Record<Listener, string>>;
  readonly issuer: string;
  /** Of the topic service, without a slash at the end. */
  readonly serviceUrl: string;
  /** Where the brokers introspect tokens. */
  readonly introspectionUrl: string;
  /** PEM. */
  readonly caFile: string;
  readonly clientCertificate: ClientCertificate;
  readonly scramUser: ScramUser;
  /** Whom the broker takes the stand-in's default user for, without `User:`. */
  readonly oauthPrincipal: string;
}

/** What can be done with a stack from any process. */
export interface StackClient extends StackCoordinates, Administration {
  /** `DIASPORA_BOOTSTRAP` (OAuth), `DIASPORA_ISSUER`, `DIASPORA_CA_FILE`, `DIASPORA_SERVICE_URL`. */
  readonly env: StackEnvironment;
  readonly globus: Globus;
  readonly topicService: TopicService;
  bootstrap(listener: Listener): string;
  /** The topic's records, read by Kafka's own consumer. */
  readTopic(
    topic: string,
    options?: ReadTopicOptions,
  ): AsyncGenerator<TopicRecord, void, undefined>;
}

/** What a user of the stack exports. */
export interface StackEnvironment {
  readonly DIASPORA_BOOTSTRAP: string;
  readonly DIASPORA_ISSUER: string;
  readonly DIASPORA_CA_FILE: string;
  readonly DIASPORA_SERVICE_URL: string;
}

/** Holds no connection: there is nothing to close. */
export function connectStack(coordinates: StackCoordinates): StackClient {
  const { bootstrapServers, issuer, serviceUrl, caFile, clientCertificate, scramUser } =
    coordinates;
  return {
    ...coordinates,
    ...administration(bootstrapServers.INTERNAL, {
      brokers: coordinates.brokerCount,
      owners: [coordinates.oauthPrincipal, scramUser.username, clientCertificate.principal],
    }),
    env: {
      DIASPORA_BOOTSTRAP: bootstrapServers.OAUTH,
      DIASPORA_ISSUER: issuer,
      DIASPORA_CA_FILE: caFile,
      DIASPORA_SERVICE_URL: serviceUrl,
    },
    globus: connectGlobus(issuer),
    topicService: connectTopicService(serviceUrl),
    bootstrap: (listener) => bootstrapServers[listener],
    readTopic: (topic, options) => readTopic(bootstrapServers.INTERNAL, topic, options),
  };
}
