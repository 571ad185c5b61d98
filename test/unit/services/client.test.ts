import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { authService, eventService } from '../../../src/auth/globus-service.ts';
import { type RequestedToken, requestToken } from '../../../src/auth/request-token.ts';
import { whoIsSignedIn } from '../../../src/auth/signed-in.ts';
import { openTokenSource } from '../../../src/auth/token-source.ts';
import type { StoredTokens } from '../../../src/auth/token-store.ts';
import { Diagnostics } from '../../../src/diagnostics.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import { type Environment, resolveDiaspora } from '../../../src/options.ts';
import { DiasporaClient } from '../../../src/services/diaspora-client.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { confidentialClient } from '../../../stack/globus-facts.ts';
import { httpAnswer, RawServer } from '../auth/raw-server.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';
import { PublicService } from './public-service.ts';
import { personAt, rowOf, storeAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterEach(() => globus.reset());
afterAll(() => globus.stop());

const clientUrl = new URL('../../../src/services/diaspora-client.ts', import.meta.url).href;

/** What the client itself is made of, and what it is to load late or never. */
const watchedParts = [
  '/src/services/',
  '/src/auth/',
  ...['wire', 'delivery', 'produce', 'consume', 'transports', 'cli'].map((part) => `/src/${part}/`),
  '/node_modules/kafkajs/',
  '/node_modules/simple-oauth2/',
  '/node_modules/node-sqlite3-wasm/',
  '/node_modules/fs-native-extensions/',
  '/node_modules/aws-msk-iam-sasl-signer-js/',
];

function run(program: string, env: Readonly<Record<string, string | undefined>>) {
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    env: { PATH: process.env['PATH'], ...env },
  });
}

describe('options of the client', () => {
  const optionOf = (options: object): [string | undefined, string] => {
    try {
      new DiasporaClient({ env: {}, ...options });
    } catch (error) {
      if (error instanceof ConfigurationError) return [error.option, error.message];
      throw error;
    }
    return [undefined, 'nothing was refused'];
  };

  it.each<[string, object]>([
    ['serviceUrl', { serviceUrl: 'ftp://example.org' }],
    ['serviceUrl', { serviceUrl: 'http://example.org' }],
    ['serviceUrl', { serviceUrl: 'https://joe:secret@example.org' }],
    ['DIASPORA_SERVICE_URL', { env: { DIASPORA_SERVICE_URL: 'http://example.org' } }],
    ['apiVersion', { apiVersion: 'v2' }],
    ['subject', { subject: 'me' }],
    ['DIASPORA_SUBJECT', { env: { DIASPORA_SUBJECT: 'me' } }],
    ['issuer', { issuer: 'http://example.org' }],
    ['region', { region: '../us' }],
    ['requestTimeoutMs', { requestTimeoutMs: 0 }],
    ['requestTimeoutMs', { requestTimeoutMs: '5' }],
    ['allowInsecureToken', { allowInsecureToken: 'yes' }],
    ['diagnostics', { diagnostics: './no/such/module.js' }],
    ['HTTPS_PROXY', { env: { HTTPS_PROXY: 'socks5://x' } }],
  ])('refuse a wrong %s by its name', (option, options) => {
    const [named, message] = optionOf(options);
    expect(named).toBe(option);
    expect(message).toContain(option);
    expect(message).not.toMatch(/"auth\.|secret/);
  });

  it('refuse one that is not known, and name the nearest', () => {
    expect(optionOf({ serviceURL: 'https://example.org' })[1]).toBe(
      'Unknown option "serviceURL". Did you mean "serviceUrl"?',
    );
  });

  it('have defaults, the public service among them, and ask nothing of anybody', async () => {
    await using client = new DiasporaClient({ env: {} });
    await expect(client.subjectOpenid()).rejects.toThrow(/DIASPORA_SUBJECT/);
    await expect(client.createKey()).rejects.toThrow(/DIASPORA_SUBJECT/);
  });

  it('take plain HTTP beyond this machine only by name', () => {
    const serviceUrl = 'http://service.example.org';
    const client = new DiasporaClient({ env: {}, serviceUrl, allowInsecureToken: true });
    expect(client).toBeInstanceOf(DiasporaClient);
  });
});

describe('the subject', () => {
  it('is the one that is given, in options or environment', async () => {
    const service = await PublicService.start(globus);
    const { client, env } = await personAt(globus, service.url);
    const subject = '0F4C1B1E-0000-4000-8000-00000000ABCD';
    expect(await client({ subject }).subjectOpenid()).toBe(subject.toLowerCase());
    const named = client({ env: { ...env, DIASPORA_SUBJECT: subject } });
    expect(await named.namespace()).toBe('ns-00000000abcd');
  });

  it.each([
    ['whose token is good', {}],
    ['whose token has ended', { access_token: 'ended', expires_at_seconds: 0 }],
  ])(
    'is asked of Globus Auth where the store does not name it, by the other row, %s',
    async (_how, openid) => {
      const service = await PublicService.start(globus);
      const { client, store, env } = await personAt(globus, service.url, { isSaved: false });
      const { subject } = await signInAndSave(env);
      // As globus_sdk 3 writes them.
      const rows = (await store.readAll()).map((row) => ({ ...row, identity_id: null }));
      expect(rows).toHaveLength(2);
      const isOpenid = (row: StoredTokens): boolean => row.resource_server === authService;
      await store.write(...rows.map((row) => ({ ...row, ...(isOpenid(row) && openid) })));
      const asked = (await globus.requests('userinfo')).length;
      expect(await client().subjectOpenid()).toBe(subject);
      expect((await store.read(eventService))?.identity_id).toBe(subject);
      expect(await client().listTopics()).toEqual([]);
      expect((await globus.requests('userinfo')).length - asked).toBe(1);
    },
  );

  it('is not taken for nobody’s while Globus Auth is out of reach, and a stored key serves', async () => {
    const service = await PublicService.start(globus);
    const unavailable = httpAnswer(503, '', { 'retry-after': '0' });
    const down = await RawServer.start((socket) => socket.end(unavailable));
    const { signedIn, env, client } = await personAt(globus, service.url, { isSaved: false });
    const away = (): DiasporaClient => client({ env: { ...env, DIASPORA_ISSUER: down.url } });
    const store = storeAt({ ...globus, issuer: down.url }, env);
    const rows = [rowOf(signedIn), rowOf(signedIn, authService)];
    // As globus_sdk 3 writes them.
    await store.write(...rows.map((row) => ({ ...row, identity_id: null })));
    for (const call of [() => away().subjectOpenid(), () => away().getSecretKey()]) {
      await expect(call()).rejects.toMatchObject({
        code: 'TOKEN_ENDPOINT_UNAVAILABLE',
        retriable: true,
        message: expect.stringContaining(`Globus Auth at ${down.url} was asked who is signed in`),
      });
    }
    const extra = { secret_key: 'stored', access_key: 'AKIA1' };
    await store.update((row) => row && { ...row, extra });
    expect(await away().retrieveKey()).toMatchObject({ secretKey: 'stored' });
    expect(service.seen).toEqual([]);
  });

  it('is that of the store, or not said to be unknown to it, while Globus Auth, which gives tokens, does not tell it', async () => {
    const tokens = JSON.stringify({
      ...{ access_token: 'access', refresh_token: 'refresh', expires_in: 3_600 },
      ...{ resource_server: eventService, scope: 'action_all', token_type: 'Bearer' },
    });
    const half = await RawServer.start((socket, head) =>
      socket.end(head.startsWith('POST') ? httpAnswer(200, tokens) : httpAnswer(404, '')),
    );
    const { signedIn, env } = await personAt(globus, half.url, { isSaved: false });
    const store = storeAt({ ...globus, issuer: half.url }, env);
    const row = { ...rowOf(signedIn), refresh_token: 'refresh', expires_at_seconds: 0 };
    await store.write(row, rowOf(signedIn, authService));
    const { globus: auth } = resolveDiaspora({}, { ...env, DIASPORA_ISSUER: half.url }, false);
    expect((await whoIsSignedIn({ auth, requestTimeoutMs: 5_000, env })).person).toEqual({
      subject: signedIn.subject,
      username: null,
      identityProvider: null,
    });
    // As globus_sdk 3 writes it.
    await store.update((present) => present && { ...present, identity_id: null });
    await expect(whoIsSignedIn({ auth, requestTimeoutMs: 5_000, env })).rejects.toThrow(
      /was asked who is signed in, and cannot say so: HTTP 404/,
    );
  });

  it('is that of the token in use, where one that is looked at before is dead', async () => {
    const { signedIn, env } = await personAt(globus, 'http://127.0.0.1:1');
    const both = { ...env, DIASPORA_REFRESH: 'revoked-long-ago' };
    const { globus: auth } = resolveDiaspora({}, both, false);
    const who = await whoIsSignedIn({ auth, requestTimeoutMs: 5_000, env: both });
    expect(who).toMatchObject({ place: 'store', isReplaced: false });
    expect(who.person?.subject).toBe(signedIn.subject);
  });

  it('is the same where another of this process has the token already', async () => {
    const { signedIn, env } = await personAt(globus, 'http://127.0.0.1:1');
    const { globus: auth } = resolveDiaspora({}, env, false);
    const source = openTokenSource({ auth, diagnostics: new Diagnostics(() => {}), env });
    onTestFinished(() => source.close());
    await source.token();
    const who = await whoIsSignedIn({ auth, requestTimeoutMs: 5_000, env });
    expect(who).toMatchObject({ place: 'store', person: { subject: signedIn.subject } });
  });

  it('is not known where Globus Auth does not name it', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn, store } = await personAt(globus, service.url, { isSaved: false });
    const unnamed = { ...rowOf(signedIn), identity_id: null };
    // The event service's token does not say whose it is.
    await store.write(unnamed, { ...unnamed, resource_server: authService });
    await expect(client().subjectOpenid()).rejects.toThrow(/DIASPORA_SUBJECT/);
    expect(await client().getSecretKey()).toBeNull();
  });

  it('of a confidential client is its own', async () => {
    const service = await PublicService.start(globus);
    const { client, env } = await personAt(globus, service.url, { isSaved: false });
    const { clientId: oauthClientId, clientSecret: oauthClientSecret } = confidentialClient;
    const diaspora = client({ env, oauthClientId, oauthClientSecret });
    expect(await diaspora.registerTopic('of-a-service')).toMatchObject({ status: 'success' });
    expect(await diaspora.namespace()).toBe(`ns-${oauthClientId.slice(-12)}`);
    const key = await diaspora.retrieveKey();
    const another = client({ env, oauthClientId, oauthClientSecret });
    expect(await another.getSecretKey()).toBe(key.secretKey);
  });
});

/** As `request-token --save` does. */
function signInAndSave(env: Environment): Promise<RequestedToken> {
  return requestToken({
    env,
    browser: false,
    save: true,
    prompt: async (url) => String(await globus.approve(url)),
  });
}

describe('claiming a topic', () => {
  it('sends the form of the web page', async () => {
    const bodies: string[] = [];
    const server = await RawServer.start((socket, head) => {
      bodies.push(head.split('\r\n\r\n')[1] ?? '');
      const claimed = bodies.length === 1;
      const status = claimed ? 'success' : 'no-op';
      socket.end(httpAnswer(200, JSON.stringify({ status, message: 'Yours.' })));
    });
    const { client, signedIn } = await personAt(globus, server.url);
    const diaspora = client();
    expect(await diaspora.claimTopic('a_topic & more')).toEqual({
      status: 'success',
      message: 'Yours.',
      topics: ['a_topic & more'],
    });
    expect(await diaspora.claimTopic('a_topic')).toMatchObject({ status: 'no-op' });
    expect(server.asked[0]).toBe('POST /acl HTTP/1.1');
    expect(Object.fromEntries(new URLSearchParams(bodies[0]))).toEqual({
      subject_claim: signedIn.subject,
      topic_name: 'a_topic & more',
      access_token: expect.stringMatching(/^[\w-]{32,}$/),
    });
  });
});

describe('the client', () => {
  it('shows no secret of its own', async () => {
    const service = await PublicService.start(globus);
    const { client, signedIn } = await personAt(globus, service.url);
    const { clientSecret } = confidentialClient;
    const diaspora = client({
      refreshToken: signedIn.refreshToken,
      oauthClientSecret: clientSecret,
    });
    const seen = inspect(diaspora, { depth: 9, showHidden: true });
    expect(seen).not.toContain(signedIn.refreshToken);
    expect(seen).not.toContain(clientSecret);
  });

  it('goes to the service through a proxy, and DEBUG=* prints neither its password nor the token', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'ca.pem'), cert);
    const service = await PublicService.start(globus);
    // TLS in front of the service, which alone the proxy may reach.
    const front = createHttpsServer({ cert, key }, (request, response) => {
      const { method = '', url = '', headers } = request;
      const onward = httpRequest(service.url + url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    const asked: string[] = [];
    const proxy = createHttpServer((_request, response) => response.writeHead(405).end());
    proxy.on('connect', ({ url = '', headers }, socket, head) => {
      asked.push(`${url} ${headers['proxy-authorization']}`);
      const onward = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.write(head);
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    const [frontPort, proxyPort] = await Promise.all([front, proxy].map(listening));
    const { env, signedIn } = await personAt(globus, `https://localhost:${frontPort}`);
    const program = `
      import { DiasporaClient } from ${JSON.stringify(clientUrl)};
      const client = new DiasporaClient();
      console.log(JSON.stringify([await client.registerTopic('through-a-proxy'), (await client.retrieveKey()).version]));
    `;
    const child = run(program, {
      ...env,
      HTTPS_PROXY: `http://joe:hunter2@127.0.0.1:${proxyPort}`,
      NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem'),
      DEBUG: '*',
    });
    const [out, seen] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(JSON.parse(out || seen)).toMatchObject([{ status: 'success' }, 'v3']);
    const login = Buffer.from('joe:hunter2').toString('base64');
    expect(new Set(asked)).toEqual(new Set([`localhost:${frontPort} Basic ${login}`]));
    expect(asked).toHaveLength(service.seen.length);
    const token = service.seen[0]?.headers.authorization?.slice('Bearer '.length) ?? '';
    for (const secret of ['hunter2', login, token, signedIn.refreshToken]) {
      expect(seen).not.toContain(secret);
    }
  });

  it('names the proxy that refuses, and not its password', async () => {
    const proxy = await RawServer.start((socket) => socket.end(httpAnswer(407, '')));
    const { client, env } = await personAt(globus, 'https://service.example.invalid');
    const HTTPS_PROXY = proxy.url.replace('//', '//joe:hunter2@');
    const error: unknown = await client({ env: { ...env, HTTPS_PROXY } })
      .listTopics()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: null });
    expect(String(error)).toContain(`the proxy 127.0.0.1:${proxy.port} answered HTTP 407`);
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
  });

  it('keeps the process alive while it waits, and not after', async () => {
    const service = await PublicService.start(globus);
    const { env } = await personAt(globus, service.url);
    service.fail({ status: 503, headers: { 'retry-after': '1' } });
    const child = run(
      `import { DiasporaClient } from ${JSON.stringify(clientUrl)};
       console.log(await new DiasporaClient().listTopics());`,
      env,
    );
    const [[code], out] = await Promise.all([once(child, 'close'), text(child.stdout)]);
    expect([code, out]).toEqual([0, '[]\n']);
    expect(service.seen).toHaveLength(2);
  });

  it('loads no Kafka client at all, and SQLite and simple-oauth2 when they are first needed', async () => {
    const service = await PublicService.start(globus);
    const { env, signedIn } = await personAt(globus, service.url, { isSaved: false });
    const program = `
      import { createRequire, register } from 'node:module';
      import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
      // Hears of each ES module; CommonJS modules are in the cache.
      const hooks = \`
        let port;
        export const initialize = (given) => { port = given; };
        export const load = (url, context, next) => { port.postMessage(url); return next(url, context); };
      \`;
      const { port1, port2 } = new MessageChannel();
      port1.unref();
      register('data:text/javascript,' + encodeURIComponent(hooks), { data: port2, transferList: [port2] });
      const { cache } = createRequire(import.meta.url);
      const urls = [];
      const parts = ${JSON.stringify(watchedParts)};
      const told = [];
      const tell = (when) => {
        for (let got; (got = receiveMessageOnPort(port1)); ) urls.push(got.message);
        const files = [...urls, ...Object.keys(cache)];
        told.push([when, parts.filter((part) => files.some((file) => file.includes(part)))]);
      };
      const { DiasporaClient } = await import(${JSON.stringify(clientUrl)});
      tell('imported');
      const { REFRESH: refreshToken, SUBJECT: subject } = process.env;
      const client = new DiasporaClient({ refreshToken, subject });
      await client.subjectOpenid();
      tell('made');
      await client.listTopics();
      tell('asked');
      await client.getSecretKey();
      tell('stored');
      await client.putSecretKey('secret', { accessKey: 'AKIA1' });
      tell('put');
      await client.close();
      console.log(JSON.stringify(told));
    `;
    const child = run(program, {
      ...env,
      REFRESH: signedIn.refreshToken,
      SUBJECT: signedIn.subject,
    });
    const [out, seen] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(seen).toBe('');
    expect(JSON.parse(out)).toEqual([
      ['imported', ['/src/services/', '/src/auth/']],
      ['made', ['/src/services/', '/src/auth/']],
      ['asked', ['/src/services/', '/src/auth/', '/node_modules/simple-oauth2/']],
      // Nobody has made a store yet: there is nothing to open.
      ['stored', ['/src/services/', '/src/auth/', '/node_modules/simple-oauth2/']],
      [
        'put',
        [
          '/src/services/',
          '/src/auth/',
          '/node_modules/simple-oauth2/',
          '/node_modules/node-sqlite3-wasm/',
          '/node_modules/fs-native-extensions/',
        ],
      ],
    ]);
  });
});

async function listening(server: ReturnType<typeof createHttpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
