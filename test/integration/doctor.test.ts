import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TokenStore } from '../../src/auth/token-store.ts';
import { createCertificates } from '../../stack/certificates.ts';
import { nativeAppClientId, personNamed } from '../../stack/globus-facts.ts';
import { type Stack, startStack } from '../../stack/stack.ts';
import { sharedStack, uniqueTopic } from '../shared-stack.ts';
import { buildPackage } from './built-package.ts';
import { type CommandEnd, type Env, runCommand, startAtTerminal } from './command.ts';
import { DocsPage } from './docs-page.ts';
import { SnippetDirectory } from './snippet-directory.ts';
import { newTopic, recordsOf } from './topic-content.ts';

const stack = sharedStack();

const { subject } = personNamed('scientist@example.org');

let directory = '';
let refreshToken = '';
let topic = '';
/** Of somebody who is signed in, and may do all there is to do. */
let env: Env = {};
beforeAll(async () => {
  await buildPackage();
  directory = mkdtempSync(join(tmpdir(), 'doctor-'));
  ({ refreshToken } = await stack.globus.signIn());
  topic = await newTopic('doctor', 2);
  env = { ...stack.env, HOME: directory, DIASPORA_REFRESH: refreshToken, DIASPORA_TOPIC: topic };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Report {
  readonly status: string;
  readonly exitCode: number;
  readonly checks: readonly {
    readonly id: string;
    readonly title: string;
    readonly status: string;
    readonly detail: string;
    readonly advice: string | null;
  }[];
}

/** What any check has said in these tests. */
const seen: string[] = [];

interface Examined extends CommandEnd {
  readonly report: Report;
}

/** With `--json`. No secret of this account is in what it says, whatever is wrong. */
async function examine(
  args: readonly string[],
  more: Record<string, string | undefined> = {},
): Promise<Examined> {
  const given = Object.entries({ ...env, ...more }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const end = await runCommand(['doctor', '--json', ...args], { env: Object.fromEntries(given) });
  for (const secret of [
    refreshToken,
    stack.scramUser.password,
    stack.clientCertificate.passphrase,
  ]) {
    expect(end.out + end.err).not.toContain(secret);
  }
  // The shifted clock's own words.
  expect(end.err.replaceAll('A token was renewed.\n', '')).toBe('');
  const report: Report = JSON.parse(end.out);
  seen.push(...report.checks.map(({ detail }) => detail));
  expect(end.code).toBe(report.exitCode);
  return { ...end, report };
}

const checkOf = ({ report }: Examined, id: string): Report['checks'][number] | undefined =>
  report.checks.find((check) => check.id === id);

const idsWith = ({ report }: Examined, status: string): string[] =>
  report.checks.filter((check) => check.status === status).map(({ id }) => id);

describe('doctor, where all is well,', () => {
  it('goes the whole way, and leaves one marked record', async () => {
    const own = await newTopic('doctor');
    const examined = await examine([own]);
    expect(examined.report.checks.map(({ id, status }) => [id, status])).toEqual([
      ['node', 'ok'],
      ['environment', 'ok'],
      ['options', 'ok'],
      ['store', 'skipped'],
      ['token', 'ok'],
      ['names', 'ok'],
      ['tcp', 'ok'],
      ['tls', 'ok'],
      ['sign-in', 'ok'],
      ['brokers', 'ok'],
      ['topic', 'ok'],
      ['write', 'ok'],
      ['read', 'ok'],
      ['idempotence', 'ok'],
      ['round-trip', 'ok'],
      ['clock', 'ok'],
    ]);
    expect(examined.code).toBe(0);
    expect(checkOf(examined, 'round-trip')?.detail).toMatch(
      /^written to partition 0, offset 0, in \d+ ms; read back in \d+ ms$/,
    );
    const [record, ...others] = await recordsOf(own);
    expect(others).toEqual([]);
    expect(record?.headers.map(([name]) => name)).toEqual(['diaspora-logger-doctor']);
  });

  it('leaves no record with --no-write, and says so', async () => {
    const own = await newTopic('doctor');
    const examined = await examine([own, '--no-write']);
    expect(examined.code).toBe(0);
    expect(checkOf(examined, 'round-trip')).toMatchObject({
      status: 'skipped',
      detail: 'left out by --no-write: no record was written',
    });
    // The rights were found out all the same.
    expect(idsWith(examined, 'ok')).toEqual(
      expect.arrayContaining(['write', 'read', 'idempotence']),
    );
    expect(await recordsOf(own)).toEqual([]);
  });

  it('tells how to have the topic looked at where none is named', async () => {
    const examined = await examine([], { DIASPORA_TOPIC: undefined });
    expect(examined.code).toBe(0);
    expect(checkOf(examined, 'topic')).toMatchObject({
      status: 'skipped',
      advice: expect.stringContaining('diaspora-logger doctor my-topic'),
    });
    expect(idsWith(examined, 'skipped')).toEqual([
      'store',
      'topic',
      'write',
      'read',
      'idempotence',
      'round-trip',
    ]);
  });

  it.each([
    [
      'scram',
      () => ({
        DIASPORA_USERNAME: stack.scramUser.username,
        DIASPORA_PASSWORD: stack.scramUser.password,
      }),
      'SCRAM',
    ],
    ['mtls', () => ({ DIASPORA_TLS_PASSPHRASE: stack.clientCertificate.passphrase }), 'MTLS'],
  ] as const)('works for auth %s', async (auth, secrets, listener) => {
    const pfx = auth === 'mtls' ? ['--pfx', stack.clientCertificate.pfxFile] : [];
    const args = ['--brokers', stack.bootstrap(listener), '--auth', auth, ...pfx];
    const examined = await examine(args, { ...secrets(), DIASPORA_REFRESH: undefined });
    expect(idsWith(examined, 'failed')).toEqual([]);
    // Nobody tells the time: the topic keeps the times of its writers, and Globus Auth is not asked.
    expect(idsWith(examined, 'skipped')).toEqual(['store', 'clock']);
  });

  it('works for auth diaspora, with a key that the service makes', async () => {
    const own = uniqueTopic('doctor');
    await stack.createTopic(own, { owner: subject });
    const examined = await examine([own, '--auth', 'diaspora'], { DIASPORA_SUBJECT: subject });
    expect(idsWith(examined, 'failed')).toEqual([]);
    expect(idsWith(examined, 'warning')).toEqual(['key']);
    expect(checkOf(examined, 'service')?.detail).toMatch(/ answers; /);
    expect(checkOf(examined, 'round-trip')?.status).toBe('ok');
    expect(checkOf(examined, 'clock')?.detail).toBe('as Globus Auth has it\nas the service has it');
  });

  it("compares clocks with the broker's where the topic has the broker's times", async () => {
    const own = uniqueTopic('doctor');
    await stack.createTopic(own, { config: { 'message.timestamp.type': 'LogAppendTime' } });
    const examined = await examine([own]);
    expect(checkOf(examined, 'clock')).toMatchObject({
      status: 'ok',
      detail: 'as Globus Auth has it\nas the broker has it',
    });
  });

  it('shows ticks and crosses in colour at a terminal', async () => {
    const args = ['doctor', 'no-such-topic', '--no-write'];
    const { code, out } = await startAtTerminal(args, { env }).ended;
    expect(code).toBe(3);
    expect(out).toContain('\x1b[32m✔\x1b[39m TLS');
    expect(out).toContain('\x1b[31m✘\x1b[39m \x1b[31mTopic');
    expect(out).toContain('\x1b[1m→ Check its spelling');
    expect(out).toContain('waiting for Globus Auth');
    expect(out).toMatch(/1 failed.*Begin with: .*Topic/);
    const plain = await runCommand(args, { env });
    expect(plain.code).toBe(3);
    expect(plain.out).not.toContain('\x1b');
    expect(plain.out).not.toContain('waiting for');
    expect(plain.out).toMatch(/^✘ Topic {14}Topic no-such-topic does not exist/m);
  });
});

/** Something is broken; `check` finds it, and says what to do. */
interface Broken {
  readonly fault: string;
  /** What makes it so: answers arguments and environment. */
  readonly with: () => Promise<Setting> | Setting;
  readonly check: string;
  readonly status?: 'failed' | 'warning';
  readonly detail: RegExp;
  readonly advice: RegExp;
  readonly code: number;
  /** Checks that are not made because of it. */
  readonly skips?: readonly string[];
}

interface Setting {
  readonly args?: readonly string[];
  readonly env?: Record<string, string | undefined>;
}

const afterTcp = [
  'tls',
  'sign-in',
  'brokers',
  'topic',
  'write',
  'read',
  'idempotence',
  'round-trip',
];
const afterTls = afterTcp.slice(1);
const afterSignIn = afterTcp.slice(2);

const file = (name: string, content: string): string => {
  const path = join(directory, `${randomBytes(4).toString('hex')}-${name}`);
  writeFileSync(path, content);
  return path;
};

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

/** A TLS server that shows this certificate. Answers its address by the name that the certificate has. */
async function tlsServer(certificate: { cert: string; key: string }): Promise<string> {
  const server = createTlsServer(certificate);
  server.on('tlsClientError', () => undefined).listen(0, 'localhost');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return `localhost:${typeof address === 'object' ? address?.port : 0}`;
}

async function certificateUntil(notAfterDate: Date): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(notAfterDate.getTime() - 86_400_000),
    notAfterDate,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  return { cert: made.cert, key: made.private };
}

/** An account of its own: what it may do is this test's. */
async function account(operations: readonly ('READ' | 'WRITE' | 'DESCRIBE')[]): Promise<Setting> {
  const username = `${uniqueTopic('somebody')}@example.org`;
  const own = uniqueTopic('doctor');
  await stack.createTopic(own, { owner: [] });
  await stack.grant(username, { topic: own }, operations);
  await stack.grant(username, { group: '*' }, ['READ']);
  const signedIn = await stack.globus.signIn(username);
  return { args: [own], env: { DIASPORA_REFRESH: signedIn.refreshToken } };
}

const broken: readonly Broken[] = [
  {
    fault: 'a port where nobody listens',
    with: () => ({ args: ['--brokers', '127.0.0.1:1'] }),
    check: 'tcp',
    detail: /127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/,
    advice: /Check bootstrapBrokers, the network, and that the broker runs/,
    code: 4,
    skips: afterTcp,
  },
  {
    fault: 'a host name that nobody knows',
    with: () => ({ args: ['--brokers', 'broker.invalid:9094'] }),
    check: 'names',
    detail: /broker\.invalid:9094 cannot be resolved \(ENOTFOUND\)/,
    advice: /Check bootstrapBrokers and the name service/,
    code: 4,
    skips: ['tcp', ...afterTcp],
  },
  {
    fault: 'one of several brokers that cannot be used',
    with: () => ({ args: ['--brokers', `broker.invalid:9094,${stack.bootstrap('OAUTH')}`] }),
    check: 'names',
    status: 'warning',
    detail: /localhost → [\s\S]*broker\.invalid:9094 cannot be resolved/,
    advice: /Check bootstrapBrokers/,
    code: 0,
  },
  {
    fault: 'TLS at a port that speaks plain text',
    with: () => ({ args: ['--brokers', stack.bootstrap('INTERNAL')] }),
    check: 'tls',
    detail: /does not answer TLS .* most likely this port speaks plain text/,
    advice: /Use the broker's TLS port/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: 'plain text at a port that speaks TLS',
    with: () => ({ args: ['--no-tls'] }),
    check: 'sign-in',
    detail: /does not answer plain text .* most likely this port speaks TLS/,
    advice: /Leave tls on/,
    code: 4,
    skips: afterSignIn,
  },
  {
    fault: "a broker's certificate of an authority that is not trusted",
    with: async () => ({ args: ['--ca', file('ca.pem', (await createCertificates('x')).ca)] }),
    check: 'tls',
    detail:
      /is signed by "Diaspora local stack", which is not in the certificates of DIASPORA_CA_FILE/,
    advice: /Set DIASPORA_CA_FILE or --ca to a PEM file with that authority/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: 'no authority at all',
    with: () => ({ env: { DIASPORA_CA_FILE: undefined } }),
    check: 'tls',
    detail: /"Diaspora local stack", which is not in Node's own list/,
    advice: /Set DIASPORA_CA_FILE/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: "a broker's certificate for another name",
    with: () => ({
      args: [
        '--config',
        file('config.json', JSON.stringify({ tls: { servername: 'broker.example.org' } })),
      ],
    }),
    check: 'tls',
    detail: /is for other names, and not for broker\.example\.org .*certificate for localhost, 127/,
    advice: /Connect by one of localhost, 127\.0\.0\.1/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: 'a certificate that has expired',
    async with() {
      const expired = await certificateUntil(new Date(Date.now() - 5 * 86_400_000));
      return {
        args: ['--brokers', await tlsServer(expired), '--ca', file('ca.pem', expired.cert)],
      };
    },
    check: 'tls',
    detail: /its certificate expired 5 days ago/,
    advice: /Ask whoever runs the broker to renew it/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: 'a certificate that signed itself',
    async with() {
      const own = await certificateUntil(new Date(Date.now() + 86_400_000));
      return { args: ['--brokers', await tlsServer(own)] };
    },
    check: 'tls',
    detail: /is signed by itself, and not in the certificates of DIASPORA_CA_FILE/,
    advice: /to this very certificate, if it is the right one/,
    code: 4,
    skips: afterTls,
  },
  {
    fault: 'a name that is not compared with the certificate',
    with: () => ({ args: ['--no-check-hostname'] }),
    check: 'tls',
    status: 'warning',
    detail: /tls\.checkHostname is false/,
    advice: /Connect by a name that the certificate holds/,
    code: 0,
  },
  {
    fault: 'nobody signed in',
    with: () => ({ env: { DIASPORA_REFRESH: undefined } }),
    check: 'token',
    detail: /No Globus refresh token/,
    advice: /npx diaspora-logger request-token --save/,
    code: 3,
    skips: ['sign-in', ...afterSignIn],
  },
  {
    fault: 'a refresh token that was revoked',
    async with() {
      const signedIn = await stack.globus.signIn();
      await stack.globus.revoke(signedIn.refreshToken);
      return { env: { DIASPORA_REFRESH: signedIn.refreshToken } };
    },
    check: 'token',
    detail: /The refresh token is no longer good/,
    advice: /npx diaspora-logger request-token --save/,
    code: 3,
    skips: ['sign-in', ...afterSignIn],
  },
  {
    fault: 'a module that gives no token',
    with: () => ({
      args: [
        '--auth',
        'token',
        '--token-module',
        file('token.mjs', 'export default () => { throw new Error("vault sealed"); };'),
      ],
    }),
    check: 'token',
    detail: /The token module .*token\.mjs failed \(Error\)/,
    advice: /Mend the module/,
    code: 4,
    skips: ['sign-in', ...afterSignIn],
  },
  {
    fault: 'an access token that the broker refuses',
    async with() {
      const { accessToken } = await stack.globus.signIn();
      await stack.globus.revoke(accessToken);
      const module = file('token.mjs', `export default () => ${JSON.stringify(accessToken)};`);
      return { args: ['--auth', 'token', '--token-module', module] };
    },
    check: 'sign-in',
    detail: /refused the access token/,
    advice: /Check that the token is for this cluster, and that its identity may use it/,
    code: 3,
    skips: afterSignIn,
  },
  {
    fault: 'a wrong password',
    with: () => ({
      args: [
        '--brokers',
        stack.bootstrap('SCRAM'),
        '--auth',
        'scram',
        '--username',
        stack.scramUser.username,
      ],
      env: { DIASPORA_PASSWORD: 'not-the-password' },
    }),
    check: 'sign-in',
    detail: /refused SCRAM-SHA-512 sign-in of user "station"/,
    advice: /Check auth\.username and auth\.password/,
    code: 3,
    skips: afterSignIn,
  },
  {
    fault: 'a client certificate that the broker does not trust',
    async with() {
      const { client } = await createCertificates('intruder');
      const certificate = [
        '--cert',
        file('c.pem', client.certificate),
        '--cert-key',
        file('k.pem', client.key),
      ];
      return { args: ['--brokers', stack.bootstrap('MTLS'), '--auth', 'mtls', ...certificate] };
    },
    check: 'sign-in',
    detail: /refused the client's certificate/,
    advice: /Set tls\.cert and tls\.key, or tls\.pfx/,
    code: 3,
    skips: afterSignIn,
  },
  {
    fault: 'a topic that is not there, or of others',
    with: () => ({ args: [uniqueTopic('missing')] }),
    check: 'topic',
    detail: /does not exist, or this account may not see it/,
    advice: /Check its spelling; else claim it, or ask its owner/,
    code: 3,
    skips: ['write', 'read', 'idempotence', 'round-trip'],
  },
  {
    fault: 'a topic that is surely not there',
    with: () => ({
      args: [
        uniqueTopic('missing'),
        '--brokers',
        stack.bootstrap('INTERNAL'),
        '--auth',
        'none',
        '--no-tls',
      ],
    }),
    check: 'topic',
    detail: /There is no topic missing-/,
    advice: /Create or claim it, or check its spelling/,
    code: 1,
    skips: ['write', 'read', 'idempotence', 'round-trip'],
  },
  {
    fault: 'no right to write',
    with: () => account(['READ', 'DESCRIBE']),
    check: 'write',
    detail: /This account may not write to topic doctor-/,
    advice: /Claim the topic, or ask its owner for the WRITE right/,
    code: 3,
    skips: ['idempotence', 'round-trip'],
  },
  {
    fault: 'no right to read',
    with: () => account(['WRITE', 'DESCRIBE']),
    check: 'read',
    detail: /This account may not read topic doctor-/,
    advice: /Claim the topic, or ask its owner for the READ right/,
    code: 3,
    skips: [],
  },
  {
    fault: 'options that cannot be',
    with: () => ({ args: ['--brokers', 'https://broker.example.org'] }),
    check: 'options',
    detail: /takes "host:port", several by comma/,
    advice: /Set it right where it was set: flags, the file of --config, or the environment/,
    code: 2,
    skips: ['token', 'names', 'tcp', ...afterTcp, 'clock'],
  },
  {
    fault: 'a token where the name of the topic belongs',
    with: () => ({
      env: { DIASPORA_TOPIC: 'AgX0kz8Vb7sJd93kQ1mNbv5tYhG2wErTyUiOp4aSdFqW6eRt' },
    }),
    check: 'options',
    detail: /looks like a token, and is not shown/,
    advice: /a refresh token goes into DIASPORA_REFRESH/,
    code: 2,
    skips: ['token', 'names', 'tcp', ...afterTcp, 'clock'],
  },
  {
    fault: 'variables that are mistyped, quoted, doubled or missing',
    with: () => ({
      env: {
        DIASPORA_TPOIC: 'x',
        DIASPORA_REFRESH: `"${refreshToken}"`,
        DIASPORA_REFRESH_FILE: refreshToken,
        DIASPORA_PASSWORD: '',
      },
    }),
    check: 'environment',
    status: 'warning',
    detail:
      /DIASPORA_REFRESH is in quotes[\s\S]*DIASPORA_REFRESH_FILE names a file that is not there[\s\S]*DIASPORA_PASSWORD is set to nothing[\s\S]*DIASPORA_TPOIC is no variable[\s\S]*are both set/,
    advice: /The token itself goes into DIASPORA_REFRESH[\s\S]*Did you mean DIASPORA_TOPIC\?/,
    code: 3,
  },
  {
    fault: 'a token store that others may read',
    async with() {
      const home = await storeWith();
      chmodSync(join(home, 'storage.db'), 0o644);
      return { env: { DIASPORA_USER_DIR: home, DIASPORA_REFRESH: undefined } };
    },
    check: 'store',
    status: 'warning',
    detail: /storage\.db holds a refresh token, and was open to others \(mode 0644\)/,
    advice: /It is mode 0600 now\. .* sign in anew/,
    code: 0,
  },
  {
    fault: 'a token store that is none',
    with() {
      const home = join(directory, randomBytes(4).toString('hex'));
      mkdirSync(home);
      writeFileSync(join(home, 'storage.db'), 'this is no database '.repeat(100), { mode: 0o600 });
      return { env: { DIASPORA_USER_DIR: home } };
    },
    check: 'store',
    detail: /The token store .*storage\.db cannot be read \(file is not a database\)/,
    advice: /move it away and sign in anew/,
    code: 3,
  },
  ...([2, -2] as const).map(
    (hours): Broken => ({
      fault: `a clock two hours ${hours > 0 ? 'ahead' : 'behind'}`,
      with: () => ({
        env: {
          NODE_OPTIONS: `--import=${new URL('../faults/apps/shifted-clock.mjs', import.meta.url)}`,
          CLOCK_SHIFT_MS: String(hours * 3_600_000),
        },
      }),
      check: 'clock',
      detail:
        hours > 0
          ? /^(2 h 0|1 h 59) min ahead of Globus Auth\nthe broker refused the time of this clock/
          : /^(2 h 0|1 h 59) min behind Globus Auth$/,
      advice: /Set this machine's clock/,
      code: 1,
    }),
  ),
  {
    fault: 'a service that is down',
    with: () => ({
      args: ['--auth', 'diaspora', '--service-url', 'http://127.0.0.1:1'],
      env: { DIASPORA_SUBJECT: subject, DIASPORA_USER_DIR: join(directory, 'nothing') },
    }),
    check: 'service',
    detail: /ECONNREFUSED/,
    advice: /is the service reachable from here \(DIASPORA_SERVICE_URL/,
    code: 4,
  },
  {
    fault: 'a subject that nobody knows',
    with: () => ({ args: ['--auth', 'diaspora'] }),
    check: 'service',
    detail: /A refresh token does not tell whose it is: .*DIASPORA_SUBJECT/,
    advice: /Set it right/,
    code: 2,
  },
  {
    fault: 'no service key where making one would end another',
    with: () => ({
      args: ['--auth', 'diaspora', '--api-version', 'v1'],
      env: { DIASPORA_SUBJECT: subject, DIASPORA_USER_DIR: join(directory, 'nothing') },
    }),
    check: 'key',
    detail: /none is stored here/,
    advice: /npx diaspora-logger keys create/,
    code: 3,
    skips: ['names', 'tcp', ...afterTcp],
  },
];

async function storeWith(): Promise<string> {
  const home = join(directory, randomBytes(4).toString('hex'));
  const store = new TokenStore({
    issuer: stack.globus.issuer,
    oauthClientId: nativeAppClientId,
    isService: false,
    env: { DIASPORA_USER_DIR: home },
  });
  const { refreshToken: stored } = await stack.globus.signIn();
  await store.write({
    resource_server: '2b9d2f5c-fa32-45b5-875b-b24cd343b917',
    identity_id: null,
    scope: '',
    access_token: '',
    refresh_token: stored,
    expires_at_seconds: 0,
    token_type: 'Bearer',
  });
  expect(statSync(join(home, 'storage.db')).mode & 0o777).toBe(0o600);
  return home;
}

describe.concurrent('doctor finds', () => {
  for (const {
    fault,
    check,
    status = 'failed',
    detail,
    advice,
    code,
    skips,
    with: setting,
  } of broken) {
    it(fault, async ({ expect }) => {
      const { args = [], env: more = {} } = await setting();
      // The round trip is needed by few: it takes its time.
      const writes = check === 'clock' || check === 'read' ? [] : ['--no-write'];
      const examined = await examine([...args, ...writes], more);
      const found = checkOf(examined, check);
      expect(found?.status, examined.out).toBe(status);
      expect(found?.detail).toMatch(detail);
      expect(found?.advice ?? '').toMatch(advice);
      expect(examined.code, examined.out).toBe(code);
      if (skips === undefined) return;
      const notLookedAt = examined.report.checks
        .filter((one) => one.status === 'skipped' && one.detail.includes('because of'))
        .map(({ id }) => id);
      expect(notLookedAt).toEqual(expect.arrayContaining([...skips]));
      expect(idsWith(examined, 'failed')).toEqual([check]);
    });
  }
});

describe('doctor finds', () => {
  it('a token endpoint that is down', async () => {
    await stack.globus.failTokens({ kind: 'status', status: 503 });
    try {
      const examined = await examine(['--no-write']);
      expect(checkOf(examined, 'token')).toMatchObject({
        status: 'failed',
        detail: expect.stringMatching(/gives no token: HTTP 503/),
        advice: expect.stringContaining('HTTPS_PROXY'),
      });
      expect(examined.code).toBe(4);
      // What needs no token is looked at.
      expect(idsWith(examined, 'ok')).toEqual(expect.arrayContaining(['names', 'tcp', 'tls']));
    } finally {
      await stack.globus.reset();
    }
  });
});

describe('doctor finds, in a cluster of its own,', () => {
  let own: Stack;
  /** Where it listens, whatever it tells clients. */
  let bootstrap = '';
  beforeAll(async () => {
    own = await startStack({
      advertise: (listener, _id, address) => {
        if (listener !== 'OAUTH') return address;
        bootstrap = `${address.host}:${address.port}`;
        return { host: 'broker.invalid', port: 9094 };
      },
    });
  });
  afterAll(() => own.stop());

  const settings = async (): Promise<Env> => {
    const signedIn = await own.globus.signIn();
    return { ...own.env, DIASPORA_BOOTSTRAP: bootstrap, DIASPORA_REFRESH: signedIn.refreshToken };
  };

  it('names of brokers that do not work from here', async () => {
    const examined = await examine(['--no-write'], await settings());
    expect(checkOf(examined, 'brokers')).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(/broker\.invalid:9094: the cluster sends clients there/),
      advice: expect.stringMatching(/advertised\.listeners/),
    });
    // This cluster has no such topic, either: that nobody may see it is worse than names that cannot be resolved.
    expect(checkOf(examined, 'topic')).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('may not see it'),
    });
    expect(examined.code).toBe(3);
  });

  it('a broker that is frozen, well within a minute', async () => {
    const more = await settings();
    const [broker] = own.brokers;
    broker?.freeze();
    const startedAt = Date.now();
    try {
      const examined = await examine(['--no-write'], more);
      expect(checkOf(examined, 'tls')).toMatchObject({
        status: 'failed',
        detail: expect.stringMatching(/did not finish the TLS handshake within 5000 ms/),
        advice: expect.stringContaining('Check the network, and that the broker runs'),
      });
      expect(examined.code).toBe(4);
      expect(Date.now() - startedAt).toBeLessThan(30_000);
    } finally {
      broker?.thaw();
    }
  });
});

describe('docs/doctor.md', () => {
  const page = new DocsPage('doctor.md');

  it('lists in its last table what was seen here', () => {
    const [, rows = ''] = page.text.split('| you see |');
    const texts = [...rows.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text),
    );
    expect(texts.length).toBeGreaterThan(30);
    const all = seen.join('\n');
    expect(texts.filter((text) => !all.includes(text))).toEqual([]);
  });

  it('names every check', async () => {
    const examined = await examine(['--auth', 'diaspora', '--no-write'], {
      DIASPORA_SUBJECT: subject,
    });
    const [, table = ''] = page.text.split('| check |');
    const named = [...(table.split('\n\n')[0] ?? '').matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(
      ([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, id]) => id),
    );
    expect(named).toEqual(examined.report.checks.map(({ id }) => id));
    // The example has the titles that the command prints.
    const [example] = page.ofLanguage('text');
    const titles = examined.report.checks.map(({ title }) => title);
    const shown = [...(example?.code ?? '').matchAll(/^[✔✘!-] (.{18})/gm)].map(([, name = '']) =>
      name.trim(),
    );
    expect(shown.filter((name) => !titles.includes(name))).toEqual([]);
  });

  it('shows commands that run as they stand', async () => {
    await stack.createTopic('web-logs').catch(() => undefined);
    using snippets = new SnippetDirectory();
    for (const command of page.commands()) {
      const { code, stderr } = await snippets.startShell(command, env).ended;
      expect({ code, stderr }, command).toEqual({ code: 0, stderr: '' });
    }
    expect(page.untested()).toEqual([]);
  });
});
