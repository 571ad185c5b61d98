import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { generate } from 'selfsigned';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sendRequest, UnansweredRequest } from '../../../src/auth/https-request.ts';
import { sendRepeatedly } from '../../../src/auth/repeated-request.ts';
import type { Failure } from '../../../src/auth/token-failure.ts';
import { httpAnswer, RawServer } from './raw-server.ts';

const basics = { method: 'GET', timeoutMs: 5_000, answerMaxBytes: 1024, env: {} } as const;

async function failureOf(asked: Promise<unknown>): Promise<Failure> {
  const error: unknown = await asked.catch((reason: unknown) => reason);
  if (!(error instanceof UnansweredRequest)) throw new Error(`No UnansweredRequest: ${error}`);
  return error.failure;
}

describe('a request', () => {
  it('has its headers and body sent, and its whole answer given, redirects too', async () => {
    const heads: string[] = [];
    const server = await RawServer.start((socket, head) => {
      heads.push(head);
      socket.write(httpAnswer(301, 'näher', { location: 'http://elsewhere.example.org/' }));
    });
    const answer = await sendRequest({
      ...basics,
      method: 'POST',
      url: new URL('/a?b=c', server.url),
      headers: { 'x-own': '1' },
      body: 'ä',
    });
    expect(answer).toMatchObject({ status: 301, body: 'näher' });
    expect(answer.headers.location).toBe('http://elsewhere.example.org/');
    expect(heads[0]).toMatch(/^POST \/a\?b=c HTTP\/1\.1\r\n/);
    expect(heads[0]).toMatch(/x-own: 1\r\n/);
    expect(heads[0]).toMatch(/content-length: 2\r\n/i);
    await server.allClosed();
  });

  it('is given up at its deadline, though bytes of the answer trickle in', async () => {
    const server = await RawServer.start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123');
    });
    const asked = sendRequest({ ...basics, url: new URL(server.url), timeoutMs: 100 });
    expect(await failureOf(asked)).toMatchObject({
      reason: 'no answer within 100 ms',
      passing: true,
      mayBeServed: true,
    });
    await server.allClosed();
  });

  it('is ended by its signal, also where that came first', async () => {
    const server = await RawServer.start();
    const closing = new AbortController();
    const asked = failureOf(
      sendRequest({ ...basics, url: new URL(server.url), signal: closing.signal }),
    );
    await server.requests(1);
    closing.abort();
    expect(await asked).toMatchObject({ reason: 'closed meanwhile', passing: false });
    await server.allClosed();
    const late = sendRequest({ ...basics, url: new URL(server.url), signal: closing.signal });
    expect(await failureOf(late)).toMatchObject({ reason: 'closed meanwhile' });
  });

  it.each([
    ['whose answer is cut off', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123', /ECONNRESET/],
    ['whose answer is no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', /HPE_/],
    ['whose answer is longer than allowed', httpAnswer(200, 'x'.repeat(2_000)), /more than 1 KiB/],
  ])('%s has none', async (_how, bytes, reason) => {
    const server = await RawServer.start((socket) => socket.end(bytes));
    const failure = await failureOf(sendRequest({ ...basics, url: new URL(server.url) }));
    expect(failure.reason).toMatch(reason);
  });

  it('to a server whose certificate is not trusted says so, and is not sent again', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {});
    const server = createHttpsServer({ cert, key }, (_request, response) => response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    let connections = 0;
    server.on('connection', () => {
      connections += 1;
    });
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const url = new URL(`https://localhost:${port}`);
    const asked = sendRepeatedly({ ...basics, url }, { repeatable: true });
    expect(await failureOf(asked)).toMatchObject({
      reason: expect.stringMatching(
        /certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS/,
      ),
      passing: false,
      mayBeServed: false,
    });
    expect(connections).toBe(1);
  });
});

describe('a request that is sent again', () => {
  const answers = (...statuses: number[]) =>
    RawServer.start((socket) => {
      const status = statuses.shift() ?? 200;
      socket.write(httpAnswer(status, '{}', { 'retry-after': '0' }));
    });

  it('may have been carried out only where that does no harm', async () => {
    for (const [repeatable, requests] of [
      [true, 2],
      [false, 1],
    ] as const) {
      const server = await answers(500);
      const { status } = await sendRepeatedly(
        { ...basics, url: new URL(server.url) },
        { repeatable },
      );
      expect(status).toBe(repeatable ? 200 : 500);
      expect(server.asked).toHaveLength(requests);
    }
  });

  it('was surely not carried out where the server says so', async () => {
    const server = await answers(429, 503);
    const url = new URL(server.url);
    const answer = await sendRepeatedly({ ...basics, url }, { repeatable: false });
    expect(answer).toMatchObject({ status: 200, attempts: 3 });
  });

  it('stops waiting when it is ended', async () => {
    const server = await RawServer.start((socket) => {
      socket.write(httpAnswer(503, '{}', { 'retry-after': '25' }));
      setImmediate(() => closing.abort());
    });
    const closing = new AbortController();
    const request = { ...basics, url: new URL(server.url), signal: closing.signal };
    expect(await failureOf(sendRepeatedly(request, { repeatable: true }))).toMatchObject({
      reason: 'closed meanwhile',
    });
    expect(server.asked).toHaveLength(1);
  });
});
