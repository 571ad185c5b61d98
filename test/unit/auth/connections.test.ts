import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTokenSource, type TokenSource } from '../../../src/auth/token-source.ts';
import { askUserinfo } from '../../../src/auth/userinfo.ts';
import { httpAnswer, RawServer } from './raw-server.ts';
import { reply } from './scripted-endpoint.ts';
import { Heard, temporaryDirectory } from './signed-in.ts';

const farIssuer = 'https://auth.example.invalid';
const sourceUrl = new URL('../../../src/auth/token-source.ts', import.meta.url).href;

function sourceOf(
  issuer: string,
  proxy: RawServer | null,
  more: { requestTimeoutMs?: number; refreshTokenFile?: string } = {},
): { source: TokenSource; heard: Heard } {
  const { requestTimeoutMs, refreshTokenFile } = more;
  const heard = new Heard();
  const source = createTokenSource({
    auth: {
      type: 'globus',
      issuer,
      oauthClientId: 'me',
      ...(refreshTokenFile === undefined ? { refreshToken: 'refresh' } : { refreshTokenFile }),
    },
    diagnostics: heard.diagnostics,
    env: {
      DIASPORA_USER_DIR: temporaryDirectory(),
      ...(proxy && { HTTPS_PROXY: proxy.url.replace('//', '//joe:hunter2@') }),
    },
    ...(requestTimeoutMs !== undefined && { requestTimeoutMs }),
  });
  onTestFinished(() => source.close());
  return { source, heard };
}

describe('a connection', () => {
  it('ends with the deadline of its request', async () => {
    const server = await RawServer.start((socket) => {
      if (server.sockets.length > 1) socket.write(httpAnswer(200, JSON.stringify(reply())));
    });
    const { source } = sourceOf(server.url, null, { requestTimeoutMs: 100 });
    await source.token();
    await server.allClosed();
    expect(server.sockets).toHaveLength(2);
  });

  it('to a proxy ends with the deadline of its request', async () => {
    const proxy = await RawServer.start((socket) => {
      if (proxy.sockets.length > 1) socket.end(httpAnswer(404, ''));
    });
    const { source } = sourceOf(farIssuer, proxy, { requestTimeoutMs: 100 });
    await expect(source.token()).rejects.toThrow(/404/);
    await proxy.allClosed();
    expect(proxy.sockets).toHaveLength(2);
  });

  it.each([
    ['the endpoint', 'closes its source'],
    ['the endpoint', 'just ends'],
    ['the proxy', 'closes its source'],
    ['the proxy', 'just ends'],
  ])('that %s leaves unanswered keeps no process alive that %s', async (who, how) => {
    const server = await RawServer.start();
    const child = run(unanswered, {
      ...(who === 'the proxy'
        ? { HTTPS_PROXY: server.url, ISSUER: farIssuer }
        : { ISSUER: server.url }),
      CLOSE: how === 'just ends' ? '' : 'yes',
    });
    await server.requests(1);
    child.stdin.end();
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
  });
});

describe('a proxy', () => {
  it('that refuses with an OAuth error is not taken for Globus', async () => {
    const proxy = await RawServer.start((socket) =>
      socket.end(httpAnswer(400, '{"error":"invalid_grant"}')),
    );
    const { source, heard } = sourceOf(farIssuer, proxy);
    const error: unknown = await source.token().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TOKEN_ENDPOINT_UNAVAILABLE', retriable: true });
    expect(String(error)).toContain(`127.0.0.1:${proxy.port} answered HTTP 400`);
    expect(String(error)).toContain('HTTPS_PROXY');
    expect(heard.codes()).toEqual(['TOKEN_ENDPOINT_UNAVAILABLE']);
    expect(String(error) + JSON.stringify(heard.events)).not.toContain('hunter2');
  });

  it('cannot give a token itself', async () => {
    const planted = JSON.stringify(reply({ refresh_token: 'planted' }));
    const proxy = await RawServer.start((socket) => socket.end(httpAnswer(201, planted)));
    const refreshTokenFile = join(temporaryDirectory(), 'refresh');
    writeFileSync(refreshTokenFile, 'mine');
    const { source } = sourceOf(farIssuer, proxy, { refreshTokenFile });
    await expect(source.token()).rejects.toThrow(/201/);
    expect(readFileSync(refreshTokenFile, 'utf8')).toBe('mine');
  });

  it('makes a tunnel for TLS to the endpoint, and DEBUG=* does not print its password', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    const endpoint = createHttpsServer({ cert, key }, (request, response) => {
      request.resume();
      response.setHeader('content-type', 'application/json').end(JSON.stringify(reply()));
    });
    endpoint.listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    onTestFinished(() => void endpoint.close());
    const address = endpoint.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const heads: string[] = [];
    const proxy = await RawServer.start((socket, head) => {
      heads.push(head);
      const onward = connect(port, '127.0.0.1');
      onward.on('error', () => socket.destroy());
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    const ca = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(ca, cert);
    const child = run(answered, {
      HTTPS_PROXY: proxy.url.replace('//', '//joe:hunter2@'),
      ISSUER: `https://localhost:${port}`,
      NODE_EXTRA_CA_CERTS: ca,
      DEBUG: '*',
    });
    const [out, seen] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(out.trim()).toBe('access');
    expect(seen).not.toContain('hunter2');
    expect(heads[0]).toContain(`CONNECT localhost:${port} HTTP/1.1`);
    const login = Buffer.from('joe:hunter2').toString('base64');
    expect(heads[0]?.toLowerCase()).toContain(`proxy-authorization: basic ${login}`.toLowerCase());
  });
});

describe('userinfo', () => {
  it('has a deadline behind a proxy that does not answer', async () => {
    const proxy = await RawServer.start();
    const env = { HTTPS_PROXY: proxy.url };
    const asked = askUserinfo(farIssuer, 'access', { env, timeoutMs: 100 });
    await expect(asked).rejects.toThrow(/no answer within 100 ms, the last of 4 requests/);
    await proxy.allClosed();
    expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT auth.example.invalid:443 HTTP/1.1']));
  });

  it('is read no further than an answer can be long', async () => {
    const answerOf = (padding: number): string =>
      httpAnswer(200, JSON.stringify({ sub: 'ann', padding: 'x'.repeat(padding) }));
    const askedOf = async (padding: number): Promise<string | null> => {
      const server = await RawServer.start((socket) => socket.write(answerOf(padding)));
      return askUserinfo(server.url, 'access', { env: {}, timeoutMs: 5_000 });
    };
    expect(await askedOf(1_000)).toBe('ann');
    await expect(askedOf(100_000)).rejects.toMatchObject({ code: 'TOKEN_ENDPOINT_UNAVAILABLE' });
  });

  it.each([
    [401, '{}'],
    [403, 'no'],
    [200, '{}'],
    [200, 'null'],
  ])('that answers HTTP %i and %j does not tell whose the token is', async (status, body) => {
    const server = await RawServer.start((socket) => socket.end(httpAnswer(status, body)));
    const asked = askUserinfo(server.url, 'access', { env: {}, timeoutMs: 5_000 });
    expect(await asked).toBeNull();
  });

  it.each([
    [404, '{}', ': HTTP 404', false],
    [400, '{}', ': HTTP 400', false],
    [302, '', ': HTTP 302', false],
    [200, '<html>', ': an answer without JSON', false],
    [503, '', ' now: HTTP 503', true],
  ])('that answers HTTP %i and %j is out of order', async (status, body, why, retriable) => {
    const atOnce = { 'retry-after': '0' };
    const server = await RawServer.start((socket) => socket.end(httpAnswer(status, body, atOnce)));
    const asked = askUserinfo(server.url, 'access', { env: {}, timeoutMs: 5_000 });
    await expect(asked).rejects.toMatchObject({
      name: 'AuthenticationError',
      code: 'TOKEN_ENDPOINT_UNAVAILABLE',
      retriable,
      message: `Globus Auth at ${server.url} was asked who is signed in, and cannot say so${why}.`,
    });
  });

  it('is asked again while it cannot answer', async () => {
    const server = await RawServer.start((socket) => {
      const isFirst = server.asked.length === 1;
      socket.end(isFirst ? httpAnswer(503, '') : httpAnswer(200, '{"sub":"ann"}'));
    });
    const asked = askUserinfo(server.url, 'access', { env: {}, timeoutMs: 5_000 });
    expect(await asked).toBe('ann');
  });
});

function run(program: string, env: Readonly<Record<string, string>>) {
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    env: { PATH: process.env['PATH'], DIASPORA_USER_DIR: temporaryDirectory(), ...env },
  });
}

const open = `
import { openTokenSource } from ${JSON.stringify(sourceUrl)};
const source = openTokenSource({
  auth: { type: 'globus', issuer: process.env.ISSUER, refreshToken: 'refresh', oauthClientId: 'me' },
  requestTimeoutMs: 3_600_000,
});
`;

/** Goes on until its input ends, with a request under way. */
const unanswered = `${open}
source.token().catch(() => {});
process.stdin.once('end', () => { if (process.env.CLOSE) source.close(); }).resume();
`;

const answered = `${open}
const hold = setInterval(() => {}, 1_000);
console.log((await source.token().catch((error) => error)).value);
clearInterval(hold);
source.close();
`;
