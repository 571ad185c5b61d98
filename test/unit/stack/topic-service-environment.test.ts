import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { settingsFrom } from '../../../stack/topic-service/environment.ts';

const needed = {
  TOPIC_SERVICE_KAFKA: 'kafka.example.org:9093',
  TOPIC_SERVICE_SECRET: 'x'.repeat(32),
  TOPIC_SERVICE_CLIENT_ID: 'service',
  TOPIC_SERVICE_CLIENT_SECRET: 'a secret',
  TOPIC_SERVICE_OAUTH_BROKERS: 'kafka.example.org:9094',
  TOPIC_SERVICE_SCRAM_BROKERS: 'kafka.example.org:9095',
};
const settings = (more: Readonly<Record<string, string>> = {}) =>
  settingsFrom({ ...needed, ...more }, () => {});

describe("The topic service's environment", () => {
  it('has a default for most of it', () => {
    expect(settings()).toMatchObject({
      host: '127.0.0.1',
      port: 8000,
      introspectionPort: 8001,
      url: 'http://127.0.0.1:8000',
      issuer: 'https://auth.globus.org',
      newTopics: { partitions: 1, replication: -1 },
    });
  });

  it("gives Globus's address without a slash at its end, as brokers compare it", () => {
    for (const issuer of ['https://globus.example.org', 'http://127.0.0.1:8443']) {
      expect(settings({ DIASPORA_ISSUER: `${issuer}/` })).toMatchObject({
        issuer,
        introspection: { introspectionUrl: `${issuer}/v2/oauth2/token/introspect` },
      });
    }
  });

  it.each([
    ['DIASPORA_ISSUER', 'http://globus.example.org'],
    ['DIASPORA_ISSUER', 'globus.example.org'],
    ['DIASPORA_ISSUER', 'https://globus.example.org/v2'],
    ['TOPIC_SERVICE_URL', 'ftp://topics.example.org'],
    ['TOPIC_SERVICE_PARTITIONS', '0'],
    ['TOPIC_SERVICE_REPLICATION', '0'],
    ['TOPIC_SERVICE_PORT', '99999999'],
    ['TOPIC_SERVICE_PORT', '0'],
    ['TOPIC_SERVICE_INTROSPECTION_PORT', '65536'],
    ['TOPIC_SERVICE_INTROSPECTION_PORT', '8000'],
    ['TOPIC_SERVICE_KEY_DELAY_MS', '-1'],
    ['TOPIC_SERVICE_PORT', 'http'],
    ['TOPIC_SERVICE_URL', 'topics.example.org'],
    ['TOPIC_SERVICE_KAFKA', ''],
    ['TOPIC_SERVICE_SECRET', 'short'],
    ['TOPIC_SERVICE_SECRET', ''],
    ['TOPIC_SERVICE_KAFKA_CERT_FILE', fileURLToPath(import.meta.url)],
    ['TOPIC_SERVICE_KAFKA_CA_FILE', '/nowhere'],
  ])('is refused with %s=%s, by name', (name, value) => {
    const read = (): unknown => settings({ [name]: value });
    expect(read).toThrow(expect.objectContaining({ name: 'EnvironmentError' }));
    expect(read).toThrow(name);
    expect(read).toThrow(/^(?!.*(a secret|xxxx|short))[^\n]+$/);
  });
});
