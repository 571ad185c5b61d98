import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
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
import { temporaryDirectory } from '../auth/signed-in.ts';

const plainTls: ClientTls = {
  caFile: null,
  certFile: null,
  keyFile: null,
  pfxFile: null,
  passphrase: null,
  checkHostname: true,
  verify: true,
};

const scram = (value: string | null, username = 'station'): ClientSignIn => ({
  type: 'scram',
  mechanism: 'SCRAM-SHA-512',
  username,
  password: { variable: 'DIASPORA_PASSWORD', value },
});

const connection = (signIn: ClientSignIn, tls: Partial<ClientTls> = {}): ClientConnection => ({
  bootstrapBrokers: 'a:9096,b:9096',
  signIn,
  tls: { ...plainTls, ...tls },
});

const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const { privateKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The longest user name in these letters that kcat has room for. */
const longest = (letter: string): string => {
  const room = 510 - 'sasl.username='.length;
  return letter.repeat(room / Buffer.byteLength(letter));
};

/** PEM, encrypted where there is a passphrase. */
const rsaKey = (type: 'pkcs1' | 'pkcs8', passphrase?: string): string =>
  rsa
    .export({ type, format: 'pem', ...(passphrase && { cipher: 'aes-256-cbc', passphrase }) })
    .toString();

const ecKey = (type: 'sec1' | 'pkcs8'): string => ec.export({ type, format: 'pem' }).toString();

function keyFileOf(pem: string): string {
  const directory = join(temporaryDirectory(), 'my keys');
  mkdirSync(directory);
  const file = join(directory, 'key.pem');
  writeFileSync(file, pem);
  return file;
}

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
    const keyFile = keyFileOf(rsaKey('pkcs8'));
    const files = { certFile: '/cert.pem', keyFile };
    const text = javaClientText(connection({ type: 'mtls' }, files));
    expect(text).toContain(`ssl.keystore.certificate.chain=\${dir:/:cert.pem}\n`);
    expect(text).toContain(`ssl.keystore.key=\${dir:${dirname(keyFile)}:key.pem}\n`);
    expect(text).toContain('config.providers=dir\n');
    expect(text).not.toContain('Java 19');
  });

  it('tell which Java reads a key that is encrypted', () => {
    const keyFile = keyFileOf(rsaKey('pkcs8', 'a passphrase'));
    const passphrase = { variable: 'DIASPORA_TLS_PASSPHRASE', value: null };
    const files = { certFile: '/cert.pem', keyFile, passphrase };
    const text = javaClientText(connection({ type: 'mtls' }, files));
    expect(text).toContain('\n# An encrypted key wants Java 19 or newer.\n');
    expect(text).toContain(`ssl.key.password=\${env:DIASPORA_TLS_PASSPHRASE}\n`);
  });

  it.each([
    ['RSA', rsaKey('pkcs1')],
    ['RSA', rsaKey('pkcs1', 'a passphrase')],
    ['EC', ecKey('sec1')],
    [
      'EC',
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${ecKey('sec1')}`,
    ],
    ['RSA', rsaKey('pkcs1').replaceAll('\n', '\r\n')],
  ])('refuse an older form of %s keys, and say how it is converted', (name, key) => {
    const keyFile = keyFileOf(key);
    const text = () =>
      javaClientText(connection({ type: 'mtls' }, { certFile: '/c.pem', keyFile }));
    expect(text).toThrow(ConfigurationError);
    expect(text).toThrow(
      `${keyFile} has "BEGIN ${name} PRIVATE KEY". Convert it by "openssl pkcs8`,
    );
  });

  it('take a key in PKCS8 whatever it is and stands in its file', () => {
    for (const key of [
      ecKey('pkcs8'),
      `Bag Attributes\n    friendlyName: RSA\n${rsaKey('pkcs8')}`,
    ]) {
      const files = { certFile: '/cert.pem', keyFile: keyFileOf(key) };
      expect(javaClientText(connection({ type: 'mtls' }, files))).toContain('ssl.keystore.key=');
    }
  });

  it('cannot name every path, nor leave the check of certificates out', () => {
    const files = { certFile: '/a:b/cert.pem', keyFile: keyFileOf(rsaKey('pkcs8')) };
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

const kcat = 'kcat';
const hasKcat = spawnSync(kcat, ['-V']).status === 0;

/** What kcat itself reads: every property that is set. */
function readByKcat(text: string, flags: readonly string[] = []): Map<string, string> {
  const file = join(temporaryDirectory(), 'kcat.conf');
  writeFileSync(file, text);
  const { stdout } = spawnSync(kcat, ['-F', file, ...flags, '-X', 'dump'], { encoding: 'utf8' });
  const lines = stdout.split('\n').map((line) => line.split(' = '));
  return new Map(lines.map(([name = '', ...value]) => [name, value.join(' = ')]));
}

describe("kcat's configuration", () => {
  it('is made of lines that kcat reads back as they are', () => {
    expect(kcatConfig(connection(scram('a b#c=d\\e')))).toBe(
      [
        '# kcat configuration, written by diaspora-logger.',
        '# Lists the topics: kcat -F kcat.conf -L',
        '# For brokers of Kafka 4 its librdkafka must be 2.6.1 or newer: kcat -V tells.',
        'bootstrap.servers=a:9096,b:9096',
        'security.protocol=sasl_ssl',
        'sasl.mechanism=SCRAM-SHA-512',
        'sasl.username=station',
        'sasl.password=a b#c=d\\e',
        '',
      ].join('\n'),
    );
  });

  it.runIf(hasKcat).each(['a b#c=d\\e', '=:\\', '\\\\', '#', '"\\n', ':\\ =', longest('é')])(
    'is read by kcat as it was meant: %s',
    (username) => {
      const read = readByKcat(kcatConfig(connection(scram('any', username))));
      expect(read.get('sasl.username')).toBe(username);
      expect(read.get('metadata.broker.list')).toBe('a:9096,b:9096');
    },
  );

  it.each([' before', 'behind ', 'two\nlines', 'a\\:b', 'a\\\\=b', `${longest('é')}x`])(
    'refuses what it would read otherwise: %j',
    (username) => {
      expect(() => kcatConfig(connection(scram('any', username)))).toThrow(
        /^(kcat cannot read a value for sasl\.username that (begins or ends with a space|has "\\:" or "\\="|makes its line longer than 510 bytes): give it by "-X sasl\.username=…" instead\.|A value for sasl\.username may not hold control characters\.)$/,
      );
    },
  );

  it('never quotes a secret that it refuses', () => {
    expect(() => kcatConfig(connection(scram('se\\:cret')))).not.toThrow(/cret/);
    expect(() => kcatConfig(connection(scram('se\\:cret')))).toThrow(/sasl\.password/);
  });

  it('tells how the name of the host is left unchecked, which kcat takes from no file', () => {
    const text = kcatConfig(connection(scram('any'), { checkHostname: false }));
    const flags = '-X ssl.endpoint.identification.algorithm=none';
    expect(text).toContain(`\n# Lists the topics: kcat -F kcat.conf ${flags} -L\n`);
    expect(text).not.toMatch(/^ssl\.endpoint/m);
    const hidden = kcatConfig(connection(scram(null), { checkHostname: false }));
    expect(hidden).toContain('envsubst');
    expect(hidden).toContain(flags);
  });

  it.runIf(hasKcat)('has kcat leave it unchecked by the flags that it tells', () => {
    const text = kcatConfig(connection(scram('any'), { checkHostname: false }));
    const [, flags = ''] = /kcat -F kcat\.conf (.*) -L/.exec(text) ?? [];
    expect(readByKcat(text, flags.split(' ')).get('ssl.endpoint.identification.algorithm')).toBe(
      'none',
    );
  });

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
