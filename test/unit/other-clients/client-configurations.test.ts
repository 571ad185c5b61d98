import { describe, expect, it } from 'vitest';
import {
  type ClientConnection,
  type ClientSignIn,
  type ClientTls,
  saslMechanismOf,
  secretsOf,
  securityProtocolOf,
} from '../../../src/other-clients/client-connection.ts';
import { javaClientText } from '../../../src/other-clients/java-client.ts';
import { kcatConfig } from '../../../src/other-clients/kcat-config.ts';
import { pythonClient } from '../../../src/other-clients/python-client.ts';

const plainTls: ClientTls = {
  caFile: null,
  certFile: null,
  keyFile: null,
  pfxFile: null,
  passphrase: null,
  checkHostname: true,
  verify: true,
};

const scram = (value: string | null): ClientSignIn => ({
  type: 'scram',
  mechanism: 'SCRAM-SHA-512',
  username: 'station',
  password: { variable: 'DIASPORA_PASSWORD', value },
});

const connection = (signIn: ClientSignIn, tls: Partial<ClientTls> = {}): ClientConnection => ({
  bootstrapBrokers: 'a:9096,b:9096',
  signIn,
  tls: { ...plainTls, ...tls },
});

const awsKey: ClientSignIn = {
  type: 'aws-iam',
  region: 'us-east-1',
  accessKey: {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: { variable: 'AWS_SECRET_ACCESS_KEY', value: 'shown' },
    sessionToken: { variable: 'AWS_SESSION_TOKEN', value: null },
  },
  profile: null,
};

describe('A connection', () => {
  it.each([
    [scram(null), 'SASL_SSL', 'SCRAM-SHA-512', ['DIASPORA_PASSWORD']],
    [awsKey, 'SASL_SSL', 'OAUTHBEARER', ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']],
    [{ type: 'mtls' }, 'SSL', null, []],
  ] as const)('has a protocol, a mechanism and secrets', (signIn, protocol, mechanism, secrets) => {
    const one = connection(signIn);
    expect(securityProtocolOf(one)).toBe(protocol);
    expect(saslMechanismOf(signIn)).toBe(mechanism);
    expect(secretsOf(one).map(({ variable }) => variable)).toEqual(secrets);
  });

  it('in plain text has the protocol of plain text', () => {
    expect(securityProtocolOf({ ...connection({ type: 'none' }), tls: null })).toBe('PLAINTEXT');
    expect(securityProtocolOf({ ...connection(scram(null)), tls: null })).toBe('SASL_PLAINTEXT');
  });
});

describe("Java's properties", () => {
  it('name the variable of a secret that is not shown, and what reads it', () => {
    const text = javaClientText(connection(scram(null)));
    expect(text).toContain(`password="\${env:DIASPORA_PASSWORD}"`);
    expect(text).toContain('config.providers=env\n');
    expect(text).toContain('# It reads from the environment: DIASPORA_PASSWORD');
    expect(javaClientText(connection(scram('shown')))).not.toContain('config.providers');
  });

  it('tell how to write a password that they read from the environment, within quotes', () => {
    const how = '# In DIASPORA_PASSWORD, put a backslash before each " and \\.\n';
    expect(javaClientText(connection(scram(null)))).toContain(how);
    expect(javaClientText(connection(scram('shown')))).not.toContain('put a backslash');
    expect(javaClientText(connection(awsKey))).not.toContain('put a backslash');
  });

  it('read a certificate and its key from where they are', () => {
    const files = { certFile: '/etc/my certs/cert.pem', keyFile: '/key.pem' };
    const text = javaClientText(connection({ type: 'mtls' }, files));
    expect(text).toContain(`ssl.keystore.certificate.chain=\${dir:/etc/my certs:cert.pem}\n`);
    expect(text).toContain(`ssl.keystore.key=\${dir:/:key.pem}\n`);
    expect(text).toContain('config.providers=dir\n');
  });

  it('cannot name every path, nor leave the check of certificates out', () => {
    const files = { certFile: '/a:b/cert.pem', keyFile: '/key.pem' };
    expect(() => javaClientText(connection({ type: 'mtls' }, files))).toThrow(/neither ":"/);
    expect(() => javaClientText(connection(scram(null), { verify: false }))).toThrow(
      /always check/,
    );
  });

  it('leave the name of the host unchecked where that is asked for', () => {
    const text = javaClientText(connection(scram(null), { checkHostname: false }));
    expect(text).toContain('\nssl.endpoint.identification.algorithm=\n');
  });

  it('tell an AWS key to the environment, and a secret only where it is shown', () => {
    const text = javaClientText(connection(awsKey));
    expect(text).toContain('# AWS_REGION=us-east-1\n# AWS_ACCESS_KEY_ID=AKIDEXAMPLE\n');
    expect(text).toContain('# AWS_SECRET_ACCESS_KEY=shown\n# AWS_SESSION_TOKEN=(a secret)\n');
    const byProfile = { ...awsKey, accessKey: null, profile: 'lab "one"' };
    expect(javaClientText(connection(byProfile))).toContain(
      String.raw`awsProfileName="lab \\"one\\""`,
    );
  });
});

describe("kcat's configuration", () => {
  it('is made of lines that kcat reads back as they are', () => {
    expect(kcatConfig(connection(scram('a b#c=d\\e'), { checkHostname: false }))).toBe(
      [
        '# kcat configuration, written by diaspora-logger.',
        '# Lists the topics: kcat -F kcat.conf -L',
        '# For brokers of Kafka 4 its librdkafka must be 2.6.1 or newer: kcat -V tells.',
        'bootstrap.servers=a:9096,b:9096',
        'security.protocol=sasl_ssl',
        'sasl.mechanism=SCRAM-SHA-512',
        'sasl.username=station',
        'sasl.password=a b#c=d\\e',
        'ssl.endpoint.identification.algorithm=none',
        '',
      ].join('\n'),
    );
  });

  it.each([' before', 'behind ', 'two\nlines'])(
    'refuses what it would read otherwise: %j',
    (value) => {
      expect(() => kcatConfig(connection(scram(value)))).toThrow(/space|control/);
    },
  );

  it('has no place for tokens of others', () => {
    expect(() => kcatConfig(connection(awsKey))).toThrow(/kcat cannot sign in with a token signed/);
  });
});

describe('A Python program', () => {
  it.each(['kafka-python', 'confluent-kafka'] as const)(
    'quotes what it is given, and imports no more than it needs: %s',
    (client) => {
      const text = pythonClient(client, connection(scram('say "hi"\\n')));
      expect(text).toContain(String.raw`"say \"hi\"\\n"`);
      expect(text).not.toContain('import os');
      expect(pythonClient(client, connection(scram(null)))).toContain(
        'os.environ["DIASPORA_PASSWORD"]',
      );
    },
  );

  it('leaves profiles and instances to the library of AWS', () => {
    const byProfile = { ...awsKey, accessKey: null, profile: 'lab' };
    expect(pythonClient('confluent-kafka', connection(byProfile))).toContain(
      'generate_auth_token_from_profile("us-east-1", "lab")',
    );
    const onInstance = { ...awsKey, accessKey: null };
    expect(pythonClient('kafka-python', connection(onInstance))).toContain(
      'generate_auth_token("us-east-1")',
    );
  });

  it('wants to know the brokers', () => {
    const nowhere = { ...connection(scram(null)), bootstrapBrokers: null };
    expect(() => pythonClient('kafka-python', nowhere)).toThrow(/No broker/);
  });
});
