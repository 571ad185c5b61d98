/** The service's settings where it runs alone: all from the environment. README.md has the table. */
import { readFileSync } from 'node:fs';
import type { KafkaAccess } from './kafka-access.ts';
import type { TopicServiceSettings } from './service.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Something of the environment is missing or wrong; the message says what. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** @throws EnvironmentError */
export function kafkaAccessFrom(env: Environment): KafkaAccess {
  const isPlain = value(env, 'TOPIC_SERVICE_KAFKA_TLS') === 'false';
  const username = value(env, 'TOPIC_SERVICE_KAFKA_USERNAME');
  const files = {
    ca: file(env, 'TOPIC_SERVICE_KAFKA_CA_FILE'),
    cert: file(env, 'TOPIC_SERVICE_KAFKA_CERT_FILE'),
    key: file(env, 'TOPIC_SERVICE_KAFKA_KEY_FILE'),
  };
  if ((files.cert === undefined) !== (files.key === undefined)) {
    throw new EnvironmentError(
      'TOPIC_SERVICE_KAFKA_CERT_FILE and TOPIC_SERVICE_KAFKA_KEY_FILE go together.',
    );
  }
  const { ca, cert, key } = files;
  return {
    brokers: needed(env, 'TOPIC_SERVICE_KAFKA'),
    tls: isPlain
      ? null
      : {
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
        },
    scram:
      username === undefined
        ? null
        : { username, password: secret(env, 'TOPIC_SERVICE_KAFKA_PASSWORD') },
  };
}

/** @throws EnvironmentError */
export function settingsFrom(env: Environment, log: (line: string) => void): TopicServiceSettings {
  const port = number(env, 'TOPIC_SERVICE_PORT', 8000, ports);
  const introspectionPort = number(env, 'TOPIC_SERVICE_INTROSPECTION_PORT', 8001, ports);
  if (port === introspectionPort) {
    throw new EnvironmentError(
      `TOPIC_SERVICE_PORT and TOPIC_SERVICE_INTROSPECTION_PORT are both ${port}: brokers need a port of their own.`,
    );
  }
  const serviceSecret = secret(env, 'TOPIC_SERVICE_SECRET');
  if (serviceSecret.length < 32) {
    throw new EnvironmentError(
      'TOPIC_SERVICE_SECRET must have at least 32 characters: make it with openssl rand -hex 32.',
    );
  }
  const issuer = issuerFrom(env);
  const replication = number(env, 'TOPIC_SERVICE_REPLICATION', -1, { min: 1 });
  return {
    host: value(env, 'TOPIC_SERVICE_HOST') ?? '127.0.0.1',
    port,
    introspectionPort,
    url: address(env, 'TOPIC_SERVICE_URL', `http://127.0.0.1:${port}`).origin,
    issuer,
    introspection: {
      introspectionUrl: `${issuer}/v2/oauth2/token/introspect`,
      clientId: needed(env, 'TOPIC_SERVICE_CLIENT_ID'),
      clientSecret: secret(env, 'TOPIC_SERVICE_CLIENT_SECRET'),
    },
    kafka: kafkaAccessFrom(env),
    newTopics: {
      partitions: number(env, 'TOPIC_SERVICE_PARTITIONS', 1, { min: 1 }),
      replication,
      config: {},
    },
    serviceSecret,
    region: value(env, 'TOPIC_SERVICE_REGION') ?? 'us-east-1',
    endpoint: needed(env, 'TOPIC_SERVICE_OAUTH_BROKERS'),
    scramEndpoint: needed(env, 'TOPIC_SERVICE_SCRAM_BROKERS'),
    keyDelayMs: number(env, 'TOPIC_SERVICE_KEY_DELAY_MS', 0),
    switches: false,
    log,
  };
}

function value(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

function needed(env: Environment, name: string): string {
  const found = value(env, name);
  if (found === undefined) throw new EnvironmentError(`${name} is not set.`);
  return found;
}

/** From the variable, or from the file that the variable with `_FILE` names. */
function secret(env: Environment, name: string): string {
  const found = value(env, name) ?? file(env, `${name}_FILE`)?.trim();
  if (found === undefined || found === '') {
    throw new EnvironmentError(`${name} is not set, and ${name}_FILE names no file with it.`);
  }
  return found;
}

function file(env: Environment, name: string): string | undefined {
  const path = value(env, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new EnvironmentError(`${name}: ${path} cannot be read.`, { cause });
  }
}

const ports = { min: 1, max: 65_535 };

function number(
  env: Environment,
  name: string,
  otherwise: number,
  { min = 0, max = 999_999_999 }: { min?: number; max?: number } = {},
): number {
  const found = value(env, name);
  if (found === undefined) return otherwise;
  const wanted = /^\d{1,9}$/.test(found) ? Number(found) : Number.NaN;
  if (wanted >= min && wanted <= max) return wanted;
  throw new EnvironmentError(`${name} takes a number from ${min} to ${max}, not ${found}.`);
}

/** Without a slash at the end: brokers compare it with what Globus says, character by character. */
function issuerFrom(env: Environment): string {
  const { protocol, hostname, origin } = address(env, 'DIASPORA_ISSUER', 'https://auth.globus.org');
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (protocol === 'http:' && !isLocal) {
    throw new EnvironmentError(
      `DIASPORA_ISSUER must begin with https: tokens are sent there, and ${origin} would show them to everybody on the way.`,
    );
  }
  return origin;
}

function address(env: Environment, name: string, otherwise: string): URL {
  const text = value(env, name) ?? otherwise;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw new EnvironmentError(
      `${name} takes an address such as https://topics.example.org, not ${text}.`,
    );
  }
  return url;
}
