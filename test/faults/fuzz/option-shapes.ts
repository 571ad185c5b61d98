/** Options as nobody should write them: each known name with what it takes, what another one takes, or anything at all. */
import fc from 'fast-check';

/** Stands wherever an option may hold a secret: no message may show it. */
export const secret = 'hunter2-Ag3kZ8pQ';

/** Nothing answers there. Nowhere else may an accepted option point: what is accepted is used. */
const nowhere = '127.0.0.1:1';

/** What no option takes for long. No names of places outside this machine, and no paths that could be made. */
const junk = fc.oneof(
  fc
    .anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true })
    .filter((value) => typeof value !== 'string'),
  fc.constantFrom<unknown>(
    '',
    ' ',
    '\0',
    '__proto__',
    'true',
    '\ud800',
    'x'.repeat(100_000),
    Number.NaN,
    -1,
    0.5,
    2 ** 53,
    1n,
    Symbol('option'),
    () => secret,
    [],
    [[]],
    new Proxy({}, {}),
  ),
  fc.constant(
    JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  ),
  fc.constant(null).map(() => cyclic()),
);

function cyclic(): unknown {
  const around: Record<string, unknown> = {};
  around['self'] = around;
  return around;
}

const milliseconds = fc.constantFrom(0, 1, 5, 100, 6_000, 60_000, 600_000, 3_600_000);

/** A secret in its place or out of it. */
const anySecret = fc.constantFrom<unknown>(
  secret,
  `${secret}\n`,
  [secret],
  { value: secret },
  ` ${secret}`,
);

const auth = fc.oneof(
  fc.constantFrom<unknown>({ type: 'none' }, { type: 'mtls' }, secret, { type: secret }),
  fc.record(
    {
      type: fc.constantFrom<unknown>(
        ...['globus', 'diaspora', 'scram', 'aws-iam', 'token', 'mtls', 'none'],
        ...['globos', secret],
      ),
      issuer: fc.constantFrom<unknown>(
        `http://${nowhere}`,
        `http://user:${secret}@${nowhere}`,
        `http://${nowhere}/?token=${secret}`,
        'http://',
        secret,
        5,
      ),
      refreshToken: anySecret,
      refreshTokenFile: anySecret,
      oauthClientId: fc.constantFrom<unknown>('app', '', 5, 'ü'),
      oauthClientSecret: fc.oneof(anySecret, fc.constant(`${secret}ü`)),
      username: fc.constantFrom<unknown>('station', '', 7),
      password: anySecret,
      mechanism: fc.constantFrom<unknown>('SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN', 1),
      module: fc.oneof(anySecret, fc.constantFrom('./no-such.mjs', 'node:fs', '#x')),
      apiVersion: fc.constantFrom<unknown>('v3', 'v1', 'v2', 3),
      serviceUrl: fc.constantFrom<unknown>(
        `http://${nowhere}/`,
        `http://user:${secret}@${nowhere}`,
        `http://${nowhere}/#${secret}`,
        secret,
      ),
      subject: fc.constantFrom<unknown>('0e9dbe08-6b8a-4d6c-9a52-0b6e1c6d2f10', secret, 5),
      region: fc.constantFrom<unknown>('us-east-1', '', 'x/y', 5),
      accessKeyId: fc.constantFrom<unknown>('AKIDEXAMPLE', '', 5),
      secretAccessKey: anySecret,
      sessionToken: anySecret,
    },
    { requiredKeys: [] },
  ),
);

const tls = fc.oneof(
  fc.boolean(),
  fc.constantFrom<unknown>('true', secret, `-----BEGIN PRIVATE KEY-----\n${secret}`),
  fc.record(
    {
      ca: anySecret,
      cert: fc.oneof(anySecret, fc.constant(`-----BEGIN CERTIFICATE-----\n${secret}`)),
      key: fc.oneof(anySecret, fc.constant(`-----BEGIN PRIVATE KEY-----\n${secret}`)),
      pfx: anySecret,
      passphrase: anySecret,
      servername: fc.constantFrom<unknown>('broker', '', 4),
      checkHostname: fc.constantFrom<unknown>(true, false, 'no'),
      rejectUnauthorized: fc.constantFrom<unknown>(true, false, 'no'),
      caa: fc.constant('x'),
    },
    { requiredKeys: [] },
  ),
);

/** What each option takes, more often than not. `writable` is a directory. */
function known(writable: string): Record<string, fc.Arbitrary<unknown>> {
  return {
    bootstrapBrokers: fc.constantFrom<unknown>(
      nowhere,
      [nowhere],
      `${nowhere}, ${nowhere}`,
      'h',
      [],
    ),
    topic: fc.constantFrom<unknown>('logs', ['logs'], 'a b', '..'),
    groupId: fc.constantFrom<unknown>('group', ''),
    clientId: fc.constantFrom<unknown>('client', 'ü'.repeat(20_000)),
    auth,
    tls,
    allowInsecureToken: fc.boolean(),
    requestTimeoutMs: milliseconds,
    retry: fc.record({ minMs: milliseconds, maxMs: milliseconds }, { requiredKeys: [] }),
    diagnostics: fc.constantFrom<unknown>('silent', './no-such.mjs'),
    acks: fc.constantFrom<unknown>('all', 1, 0, -1),
    compression: fc.constantFrom('none', 'gzip', 'zstd', 'snappy'),
    lingerMs: milliseconds,
    batchMaxRecords: fc.constantFrom(0, 1, 1_000, 1e9),
    batchMaxBytes: fc.constantFrom(1_023, 1_024, 2 ** 20, 2 ** 40),
    bufferMaxBytes: fc.constantFrom(1, 65_536, 2 ** 26, 2 ** 50),
    onOverflow: fc.constantFrom('drop-oldest', 'drop-lowest-level', 'drop'),
    closeTimeoutMs: milliseconds,
    deadLetter: fc.constantFrom<unknown>(writable, '/dev/null/letters', '\0'),
    sourceHeaders: fc.boolean(),
    deliveryTimeoutMs: milliseconds,
    key: fc.constantFrom('k', ''),
    keyField: fc.constantFrom('id', ''),
    headers: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer()), { maxKeys: 3 }),
    headerFields: fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
    partition: fc.constantFrom(0, 3, -1, 2 ** 31),
    transform: fc.constantFrom('./no-such.mjs', 'no-such-package', '#x'),
    autoOffsetReset: fc.constantFrom('earliest', 'latest', 'none'),
    autoCommit: fc.boolean(),
    autoCommitIntervalMs: milliseconds,
    lingerMS: fc.constant(5),
    level: fc.constantFrom<unknown>('info', 5),
  };
}

/** Enough to be accepted, if nothing else is wrong. */
const enough = {
  bootstrapBrokers: nowhere,
  topic: 'logs',
  diagnostics: 'silent',
  auth: { type: 'none' },
  tls: false,
};

/** `writable`: a directory that an option may name. */
export function optionShapes(writable: string): fc.Arbitrary<unknown> {
  const odd = Object.entries(known(writable)).map(([name, value]) =>
    fc
      .oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: junk })
      .map((given) => ({ [name]: given })),
  );
  const few = fc.oneof(...[1, 4].map((maxLength) => fc.array(fc.oneof(...odd), { maxLength })));
  const base = fc.constantFrom<object>(
    enough,
    { ...enough, topic: undefined },
    { ...enough, groupId: 'group' },
    {},
  );
  const objects = fc.tuple(base, few).map(([start, more]) => Object.assign({}, start, ...more));
  return fc.oneof(
    { weight: 20, arbitrary: objects },
    { weight: 1, arbitrary: junk },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(secret, undefined, null, 5, [enough]) },
  );
}
