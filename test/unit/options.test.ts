import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../src/errors.ts';
import { resolveConsumer, resolveProducer, resolveTransport } from '../../src/options.ts';
import { DiasporaTransport } from '../../src/transports/winston.ts';

const base = { bootstrapBrokers: 'localhost:9094', topic: 'logs' };

const messageOf = (options: unknown, env = {}): string => {
  try {
    resolveTransport(options, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('options', () => {
  it.each([
    [
      { bootstrapBrokers: 'localhost:9094' },
      'No topic: set the option "topic" or the environment variable DIASPORA_TOPIC.',
    ],
    [
      { topic: 'logs' },
      'No broker: set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP to host:port.',
    ],
    [{ ...base, lingerMS: 3 }, 'Unknown option "lingerMS". Did you mean "lingerMs"?'],
    [{ ...base, tls: { caa: 'x' } }, 'Unknown option "tls.caa". Did you mean "tls.ca"?'],
    [
      { ...base, auth: { type: 'scram', username: 'a', pasword: 'x' } },
      'Unknown option "auth.pasword". Did you mean "auth.password"?',
    ],
    [
      { ...base, lingerMs: 'x' },
      'Option "lingerMs" takes a whole number of milliseconds from 0 to 60,000, got "x".',
    ],
    [{ ...base, acks: 0 }, 'Option "acks" takes "all" or 1, got 0.'],
    [
      { ...base, topic: 'a b' },
      'Option "topic" takes a topic name: 1 to 249 letters, digits, dots, hyphens or underscores, got "a b".',
    ],
    [
      { ...base, bootstrapBrokers: 'localhost' },
      'Option "bootstrapBrokers" takes "host:port", several by comma or as an array, got "localhost".',
    ],
    [{ ...base, tls: 'true' }, 'Option "tls" takes true, false or an object, got "true".'],
    [{ ...base, tls: { ca: '/no/such' } }, 'tls.ca: cannot read the file /no/such (ENOENT).'],
    [
      { ...base, key: 'a', keyField: 'b' },
      'Options "key" and "keyField" exclude each other: leave one out.',
    ],
    [
      { ...base, auth: { type: 'mtls' } },
      'auth.type "mtls" needs a client certificate: set tls.cert and tls.key, or tls.pfx.',
    ],
    [
      { ...base, bootstrapBrokers: 'kafka.example:9092', tls: false },
      'tls: false would send the access token in plain text to kafka.example: leave tls on, or set allowInsecureToken: true.',
    ],
    [
      { ...base, auth: { type: 'globus', issuer: 'http://auth.example' } },
      'Option "auth.issuer" takes an https URL (plain http on loopback only), got "http://auth.example".',
    ],
    [
      { ...base, auth: { type: 'globus', refreshToken: ' \n' } },
      'Option "auth.refreshToken" takes a refresh token, got a value of type string.',
    ],
    [5, 'Options must be an object, got 5.'],
  ])('%j: %s', (options, message) => {
    expect(messageOf(options)).toBe(message);
  });

  it('name the environment variable that is at fault', () => {
    expect(messageOf({}, { DIASPORA_TOPIC: 'a b', DIASPORA_BOOTSTRAP: 'h:1' })).toMatch(
      /^Environment variable DIASPORA_TOPIC takes a topic name/,
    );
    expect(messageOf({ topic: 't' }, { DIASPORA_BOOTSTRAP: 'h' })).toMatch(
      /^Environment variable DIASPORA_BOOTSTRAP takes "host:port"/,
    );
  });

  it('never show the value of a secret', () => {
    const message = messageOf({ ...base, auth: { type: 'globus', refreshToken: ['s3cret'] } });
    expect(message).toBe(
      'Option "auth.refreshToken" takes a refresh token, got a value of type object.',
    );
  });

  it.each([
    'Ag3kZ8hunter2hunter2hunter2',
    'ag:hunter2',
    'https://user:hunter2@auth.example',
    'https://hunter2@auth.example',
    'https://auth.example/?token=hunter2',
    'https://auth.example/#hunter2',
    'http://user:hunter2@auth.example/hunter2',
  ])('never show a secret that stands in the issuer: %s', (issuer) => {
    for (const message of [
      messageOf({ ...base, auth: { type: 'globus', issuer } }),
      messageOf(base, { DIASPORA_ISSUER: issuer }),
    ]) {
      expect(message).toMatch(/^Option "auth.issuer" takes an? .+\.$/);
      expect(message).not.toContain('hunter2');
    }
  });

  it.each(['ca', 'cert', 'key', 'pfx'])('never show what tls.%s has in place of a path', (name) => {
    const base64 = Buffer.from('-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq').toString('base64');
    for (const value of [base64, 's3cret', `/${base64.repeat(8)}`]) {
      const message = messageOf({ ...base, tls: { [name]: value } });
      expect(message).not.toContain(value.slice(0, 5));
      expect(message).toMatch(
        name === 'pfx'
          ? /^tls\.pfx: the value is no readable file \(E/
          : /^tls\.\w+: the value is neither PEM text \("-----BEGIN …"\) nor a readable file \(E/,
      );
    }
    expect(messageOf({ ...base, tls: { [name]: './no/such.pem' } })).toBe(
      `tls.${name}: cannot read the file ./no/such.pem (ENOENT).`,
    );
  });

  it.each([{ auth: 's3cret-token' }, { tls: 's3cret-key' }, { tls: { key: 5 } }])(
    'never show what stands for a secret: %j',
    (options) => {
      expect(messageOf({ ...base, ...options })).toMatch(
        /, got a value of type (string|number)\.$/,
      );
    },
  );

  it('never show what stands in place of a token module, unless it is a path', () => {
    const messageFor = (module: string) => messageOf({ ...base, auth: { type: 'token', module } });
    expect(messageFor('s3cret-token')).toMatch(
      /^Option "auth.module": no module of the given name/,
    );
    expect(messageFor('./no-such.mjs')).toMatch(
      /^Option "auth.module": no module ".\/no-such.mjs"/,
    );
  });

  it('never show a string that stands for all of them', () => {
    expect(messageOf('s3cret')).toBe('Options must be an object, got a string.');
  });

  it('come from the environment where they are not given', () => {
    const directory = mkdtempSync(join(tmpdir(), 'options-'));
    const caFile = join(directory, 'ca.pem');
    writeFileSync(caFile, '-----BEGIN CERTIFICATE-----\n');
    const resolved = resolveTransport(undefined, {
      DIASPORA_BOOTSTRAP: 'one:1, [::1]:2',
      DIASPORA_TOPIC: 'logs',
      DIASPORA_CA_FILE: caFile,
      DIASPORA_ISSUER: 'http://127.0.0.1:8080/',
      DIASPORA_REFRESH: 'token',
    });
    expect(resolved).toMatchObject({
      bootstrapBrokers: [
        { host: 'one', port: 1 },
        { host: '::1', port: 2 },
      ],
      topic: 'logs',
      tls: { ca: '-----BEGIN CERTIFICATE-----\n' },
      auth: {
        type: 'globus',
        issuer: 'http://127.0.0.1:8080',
        refreshToken: 'token',
        refreshTokenFrom: 'environment',
      },
      acks: 'all',
      bufferMaxBytes: 64 * 2 ** 20,
    });
  });

  it('that say whose refresh token it is leave no say to the environment', () => {
    const authOf = (auth: object, env = {}) =>
      resolveTransport({ ...base, auth: { type: 'globus', ...auth } }, env).auth;
    const env = { DIASPORA_REFRESH: "somebody's", DIASPORA_REFRESH_FILE: '/somewhere' };
    const ofFile = authOf({ refreshTokenFile: '/run/secrets/app' }, env);
    expect(ofFile).toHaveProperty('refreshTokenFile', '/run/secrets/app');
    expect(ofFile).not.toHaveProperty('refreshToken');
    const ofOption = authOf({ refreshToken: ' own\n' }, env);
    expect(ofOption).toMatchObject({ refreshToken: 'own', refreshTokenFrom: 'option' });
    expect(ofOption).not.toHaveProperty('refreshTokenFile');
    expect(authOf({}, env)).toMatchObject({
      refreshToken: "somebody's",
      refreshTokenFrom: 'environment',
      refreshTokenFile: '/somewhere',
    });
    expect(authOf({ refreshTokenFile: 'app' })).toHaveProperty('refreshTokenFile', resolve('app'));
  });

  it('take undefined for not given', () => {
    expect(messageOf({ ...base, lingerMs: undefined, tls: { ca: undefined } })).toBe('accepted');
  });

  it('of producers and consumers are checked in the same way', () => {
    expect(() => resolveProducer({ ...base })).toThrow(
      /^Unknown option "topic"\. Known here: bootstrapBrokers, clientId, auth, /,
    );
    expect(() => resolveConsumer({ bootstrapBrokers: 'h:1', topic: 't' }, {})).toThrow(
      'Option "groupId" takes the name of a consumer group, got nothing.',
    );
  });

  it('that hold themselves are refused like others', () => {
    const around: Record<string, unknown> = {};
    around['self'] = around;
    expect(messageOf(around)).toMatch(/^Unknown option "self"\./);
    expect(messageOf({ ...base, tls: around })).toMatch(/^Unknown option "tls.self"\./);
  });

  it('that are none are refused by the transport of Winston, too', () => {
    for (const none of [null, 's3cret', 5]) {
      expect(() => Reflect.construct(DiasporaTransport, [none])).toThrow(
        /^Options must be an object, got (null|a string|5)\.$/,
      );
    }
  });

  it('of any shape give a ConfigurationError or are accepted', () => {
    const names = ['topic', 'tls', 'auth', 'retry', 'lingerMs', 'headers', 'ca', 'type', 'minMs'];
    const anything = fc.anything({ key: fc.constantFrom(...names), maxDepth: 3 });
    fc.assert(
      fc.property(anything, (options) => void messageOf(options)),
      { numRuns: 2_000 },
    );
  });
});
