/** The configuration of one broker of the stack. */

/** Ways into a broker, by the name that its configuration gives them. */
export const listeners = ['INTERNAL', 'OAUTH', 'SCRAM', 'MTLS'] as const;

/**
 * `INTERNAL`: plain text, everybody is the super user; for administration only. `OAUTH`: OAUTHBEARER
 * over TLS. `SCRAM`: SCRAM-SHA-256 and -512 over TLS. `MTLS`: TLS with a client certificate.
 */
export type Listener = (typeof listeners)[number];

/** Where something listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What one broker's configuration is made from. */
export interface ServerSettings {
  readonly id: number;
  /** Port of the controller of each broker, by broker id. */
  readonly controllerPorts: ReadonlyMap<number, number>;
  readonly ports: Readonly<Record<Listener, number>>;
  /** What clients are told. */
  readonly advertised: Readonly<Record<Listener, Address>>;
  readonly dataDirectory: string;
  /** PEM file with the broker's PKCS8 key and certificate. */
  readonly keyStoreFile: string;
  /** PEM file with the authority's certificate. */
  readonly caFile: string;
  readonly oauth: OAuthSettings;
  /** Added last: these win. */
  readonly overrides: Readonly<Record<string, string>>;
}

/** How a broker asks about tokens. */
export interface OAuthSettings {
  readonly issuer: string;
  readonly introspectionUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** All properties of a broker, by name. https://kafka.apache.org/43/configuration/broker-configs/ */
export function serverProperties(settings: ServerSettings): Record<string, string> {
  const { id, controllerPorts, ports, advertised, oauth } = settings;
  const brokers = controllerPorts.size;
  const replication = String(brokers);
  const minIsr = String(Math.max(1, brokers - 1));
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': [...controllerPorts]
      .map(([voter, port]) => `${voter}@127.0.0.1:${port}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [
      ...listeners.map((name) => `${name}://127.0.0.1:${ports[name]}`),
      `CONTROLLER://127.0.0.1:${controllerPorts.get(id)}`,
    ].join(','),
    'advertised.listeners': listeners
      .map((name) => `${name}://${advertised[name].host}:${advertised[name].port}`)
      .join(','),
    'listener.security.protocol.map':
      'INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,OAUTH:SASL_SSL,SCRAM:SASL_SSL,MTLS:SSL',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': settings.dataDirectory,

    'auto.create.topics.enable': 'false',
    'default.replication.factor': replication,
    'offsets.topic.replication.factor': replication,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': minIsr,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': minIsr,
    // A group's first member waits for Kafka to make this topic: 50 partitions take seconds.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',

    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': settings.keyStoreFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': settings.caFile,

    // Globus's tokens are opaque: each is introspected when a client signs in.
    'listener.name.oauth.sasl.enabled.mechanisms': 'OAUTHBEARER',
    'listener.name.oauth.oauthbearer.sasl.server.callback.handler.class':
      'io.strimzi.kafka.oauth.server.JaasServerOauthValidatorCallbackHandler',
    'listener.name.oauth.oauthbearer.sasl.jaas.config': jaas(
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule',
      {
        'oauth.introspection.endpoint.uri': oauth.introspectionUrl,
        'oauth.client.id': oauth.clientId,
        'oauth.client.secret': oauth.clientSecret,
        'oauth.valid.issuer.uri': oauth.issuer,
        'oauth.username.claim': 'username',
        'oauth.fallback.username.claim': 'sub',
        'oauth.access.token.is.jwt': 'false',
        // The login module wants one, though this listener signs nobody in as a client.
        unsecuredLoginStringClaim_sub: 'unused',
      },
    ),
    // Strimzi ends a session when its token does only where re-authentication is on.
    'connections.max.reauth.ms': '3600000',
    'principal.builder.class': 'io.strimzi.kafka.oauth.server.OAuthKafkaPrincipalBuilder',

    'listener.name.scram.sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.scram.scram-sha-256.sasl.jaas.config': jaas(
      'org.apache.kafka.common.security.scram.ScramLoginModule',
    ),
    'listener.name.scram.scram-sha-512.sasl.jaas.config': jaas(
      'org.apache.kafka.common.security.scram.ScramLoginModule',
    ),

    'listener.name.mtls.ssl.client.auth': 'required',
    'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',

    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'false',
    ...settings.overrides,
  };
}

function jaas(module: string, options: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(options).map(([name, value]) => ` ${name}="${value}"`);
  return `${module} required${pairs.join('')} ;`;
}

/** As a `.properties` file. A backslash is an escape there, so it is doubled. */
export function formatProperties(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}
