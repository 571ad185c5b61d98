import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import {
  type Environment,
  type ResolvedAuth,
  resolveConsumer,
  resolveProducer,
} from '../../../src/options.ts';

const bootstrapBrokers = 'localhost:9094';

function authOf(auth: unknown, env: Environment = {}): ResolvedAuth {
  return resolveProducer({ bootstrapBrokers, auth }, env).auth;
}

function refusalOf(
  options: object,
  env: Environment = {},
): { message: string; option?: string | undefined } {
  try {
    resolveProducer(options, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  return { message: 'accepted' };
}

const refusalOfAuth = (auth: object, env: Environment = {}): string =>
  refusalOf({ bootstrapBrokers, auth }, env).message;

describe('auth.type "scram"', () => {
  it('takes user name and password from the environment, each where it is not given', () => {
    const env = { DIASPORA_USERNAME: 'station\n', DIASPORA_PASSWORD: ' with spaces ' };
    expect(authOf({ type: 'scram' }, env)).toEqual({
      type: 'scram',
      mechanism: 'SCRAM-SHA-512',
      username: 'station',
      password: ' with spaces ',
    });
    expect(authOf({ type: 'scram', username: 'other' }, env)).toMatchObject({
      username: 'other',
      password: ' with spaces ',
    });
  });

  it.each([
    [
      { type: 'scram', password: 'x' },
      'No user name: set the option "auth.username" or the environment variable DIASPORA_USERNAME.',
    ],
    [
      { type: 'scram', username: 'me' },
      'No password: set the option "auth.password" or the environment variable DIASPORA_PASSWORD.',
    ],
  ])('says what is missing: %j', (auth, message) => {
    expect(refusalOfAuth(auth, { DIASPORA_USERNAME: '', DIASPORA_PASSWORD: '' })).toBe(message);
  });
});

describe('auth.type "aws-iam"', () => {
  const env = {
    AWS_REGION: 'us-west-2',
    AWS_DEFAULT_REGION: 'us-east-2',
    AWS_ACCESS_KEY_ID: 'AKIDENV',
    AWS_SECRET_ACCESS_KEY: 'of the environment',
    AWS_SESSION_TOKEN: 'session of the environment',
  };

  it('takes region and key from AWS’s own environment variables', () => {
    expect(authOf({ type: 'aws-iam' }, env)).toEqual({
      type: 'aws-iam',
      region: 'us-west-2',
      credentials: {
        accessKeyId: 'AKIDENV',
        secretAccessKey: 'of the environment',
        sessionToken: 'session of the environment',
      },
      profile: null,
    });
    expect(authOf({ type: 'aws-iam' }, { AWS_DEFAULT_REGION: 'us-east-2' })).toEqual({
      type: 'aws-iam',
      region: 'us-east-2',
      credentials: null,
      profile: null,
    });
  });

  it('leaves the environment’s key aside where options say who signs in', () => {
    const own = { accessKeyId: 'AKIDOWN', secretAccessKey: 'own' };
    expect(authOf({ type: 'aws-iam', ...own }, env)).toMatchObject({ credentials: own });
    expect(authOf({ type: 'aws-iam', ...own }, env)).not.toHaveProperty('credentials.sessionToken');
    expect(authOf({ type: 'aws-iam', profile: 'lab' }, env)).toMatchObject({
      credentials: null,
      profile: 'lab',
    });
  });

  it.each([
    [
      { type: 'aws-iam' },
      {},
      'No AWS region: set the option "auth.region" or the environment variable AWS_REGION.',
    ],
    [
      { type: 'aws-iam', region: 'Frankfurt' },
      {},
      'Option "auth.region" takes an AWS region, such as "us-east-1", got "Frankfurt".',
    ],
    [
      { type: 'aws-iam' },
      { AWS_REGION: 'x.example.org/' },
      'Environment variable AWS_REGION takes an AWS region, such as "us-east-1", got "x.example.org/".',
    ],
    [
      { type: 'aws-iam', accessKeyId: 'AKID' },
      env,
      'Option "auth.accessKeyId" needs "auth.secretAccessKey" beside it.',
    ],
    [
      { type: 'aws-iam', sessionToken: 'hunter2' },
      env,
      'Option "auth.sessionToken" needs "auth.accessKeyId" beside it.',
    ],
    [
      { type: 'aws-iam', accessKeyId: 'AKID', secretAccessKey: 'hunter2', profile: 'lab' },
      env,
      'Options "auth.accessKeyId" and "auth.profile" exclude each other: leave one out.',
    ],
    [
      { type: 'aws-iam' },
      { ...env, AWS_SECRET_ACCESS_KEY: '' },
      'Environment variable AWS_ACCESS_KEY_ID needs AWS_SECRET_ACCESS_KEY beside it.',
    ],
    [
      { type: 'aws-iam', secretAccesKey: 'hunter2' },
      env,
      'Unknown option "auth.secretAccesKey". Did you mean "auth.secretAccessKey"?',
    ],
    [
      { type: 'aws-iam', secretAccessKey: ['hunter2'] },
      env,
      'Option "auth.secretAccessKey" takes a secret access key, got a value of type object.',
    ],
  ])('refuses %j', (auth, given, message) => {
    expect(refusalOfAuth(auth, given)).toBe(message);
  });
});

describe('auth.type "diaspora"', () => {
  const subject = '0E9DBE08-6B8A-4D6C-9A52-0B6E1C6D2F10';

  it('needs nothing, not even brokers: the service key says where they are', () => {
    const resolved = resolveProducer({ auth: { type: 'diaspora' } }, {});
    expect(resolved.bootstrapBrokers).toEqual([]);
    expect(resolved.auth).toEqual({
      type: 'diaspora',
      apiVersion: 'v3',
      serviceUrl: 'https://diaspora-web-service.qpp943wkvr7b2.us-east-1.cs.amazonlightsail.com',
      region: 'us-east-1',
      subject: null,
      globus: {
        type: 'globus',
        issuer: 'https://auth.globus.org',
        refreshTokenFrom: 'environment',
        oauthClientId: 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe',
      },
    });
  });

  it('takes from the environment where the service is, and who asks; not where this process runs', () => {
    const env = {
      DIASPORA_SERVICE_URL: 'http://127.0.0.1:8000/',
      DIASPORA_SUBJECT: subject,
      DIASPORA_REFRESH: 'refresh',
      DIASPORA_ISSUER: 'http://127.0.0.1:8080/',
      DIASPORA_BOOTSTRAP: 'one:1',
      AWS_REGION: 'eu-west-3',
    };
    const options = { auth: { type: 'diaspora', apiVersion: 'v1' }, topic: 't', groupId: 'g' };
    expect(resolveConsumer(options, env)).toMatchObject({
      bootstrapBrokers: [{ host: 'one', port: 1 }],
      auth: {
        apiVersion: 'v1',
        serviceUrl: 'http://127.0.0.1:8000',
        subject: subject.toLowerCase(),
        region: 'us-east-1',
        globus: { issuer: 'http://127.0.0.1:8080', refreshToken: 'refresh' },
      },
    });
  });

  it('finds the service where the Python SDK does', () => {
    expect(authOf({ type: 'diaspora' }, { DIASPORA_SDK_ENVIRONMENT: 'local' })).toMatchObject({
      serviceUrl: 'http://localhost:8000',
    });
  });

  it.each([
    [
      { serviceUrl: 'http://diaspora.example.org/' },
      {},
      'Option "auth.serviceUrl" takes an https URL (plain http on loopback only), got "http://diaspora.example.org".',
    ],
    [
      {},
      { DIASPORA_SERVICE_URL: 'hunter2' },
      'Environment variable DIASPORA_SERVICE_URL takes an https URL (plain http on loopback only), got text that is none.',
    ],
    [
      { serviceUrl: 'https://me:hunter2@diaspora.example.org' },
      {},
      'Option "auth.serviceUrl" takes a URL without a user name, password, query or fragment: leave them out of that for diaspora.example.org.',
    ],
    [
      {},
      { DIASPORA_SUBJECT: 'hunter2' },
      'Environment variable DIASPORA_SUBJECT takes a UUID, got a value of type string.',
    ],
    [
      { apiVersion: 'v1' },
      {},
      'No service for auth.apiVersion "v1": the public one is v3\'s. Set the option "auth.serviceUrl" or the environment variable DIASPORA_SERVICE_URL.',
    ],
    [{ apiVersion: 'v2' }, {}, 'Option "auth.apiVersion" takes "v3" or "v1", got "v2".'],
    [{ subjet: 'x' }, {}, 'Unknown option "auth.subjet". Did you mean "auth.subject"?'],
  ])('refuses %j with %j', (auth, env, message) => {
    expect(refusalOfAuth({ type: 'diaspora', ...auth }, env)).toBe(message);
  });

  it('asks a service over plain HTTP where that is allowed', () => {
    const auth = { type: 'diaspora', serviceUrl: 'http://diaspora.example.org/' } as const;
    expect(resolveProducer({ auth, allowInsecureToken: true }, {}).auth).toMatchObject({
      serviceUrl: 'http://diaspora.example.org',
    });
  });

  it('sends no token in plain text to brokers that nobody has named yet', () => {
    const options = { auth: { type: 'diaspora' }, tls: false };
    expect(refusalOf(options)).toMatchObject({
      message:
        'tls: false would send the access token in plain text to whichever broker the service key names: leave tls on, or set allowInsecureToken: true.',
      option: 'tls',
    });
    expect(refusalOf({ ...options, bootstrapBrokers }).message).toBe('accepted');
    expect(refusalOf({ ...options, allowInsecureToken: true }).message).toBe('accepted');
  });
});

it.each(['globus', 'aws-iam'])(
  'auth.type "%s" sends no token in plain text to another machine',
  (type) => {
    const options = { bootstrapBrokers: 'kafka.example:9092', tls: false, auth: { type } };
    expect(refusalOf(options, { AWS_REGION: 'us-east-1' }).message).toBe(
      'tls: false would send the access token in plain text to kafka.example: leave tls on, or set allowInsecureToken: true.',
    );
  },
);

it('a type that there is not is named, with those that there are', () => {
  expect(refusalOfAuth({ type: 'aws' })).toBe(
    'Option "auth.type" takes "globus", "diaspora", "scram", "aws-iam", "mtls", "token" or "none", got "aws".',
  );
  expect(refusalOfAuth([])).toMatch(
    /^Option "auth(\.type)?" takes .*"globus", "diaspora", "scram", "aws-iam", "mtls", "token" or "none", got (nothing|a value of type object)\.$/,
  );
});
