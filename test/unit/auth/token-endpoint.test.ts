import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { TokenEndpoint } from '../../../src/auth/token-endpoint.ts';
import { httpAnswer, RawServer } from './raw-server.ts';
import { reply } from './scripted-endpoint.ts';

const endpointAt = (issuer: string, requestTimeoutMs = 10_000): TokenEndpoint =>
  new TokenEndpoint({ issuer, oauthClientId: 'me', requestTimeoutMs, env: {} });

/** A server that gives these answers, the last of them from then on. */
async function answering(...answers: readonly string[]): Promise<RawServer> {
  const server = await RawServer.start((socket) => {
    socket.end(answers[Math.min(server.asked.length, answers.length) - 1] ?? '');
  });
  return server;
}

const good = httpAnswer(200, JSON.stringify(reply()));
const busy = (seconds: string): string => httpAnswer(503, '{}', { 'retry-after': seconds });

describe('Retry-After', () => {
  it('of the last of four answers is honoured as well', async () => {
    const server = await answering(busy('0'), busy('0'), busy('0'), busy('20'), good);
    const endpoint = endpointAt(server.url);
    await expect(endpoint.refresh('refresh')).rejects.toThrow(/last of 4 requests.* 20 s/);
    await expect(endpoint.refresh('refresh')).rejects.toThrow(/20 s/);
    expect(server.asked).toHaveLength(4);
  });

  it('keeps one caller waiting for 30 s in all', async () => {
    const server = await answering(busy('1'), busy('30'), good);
    await expect(endpointAt(server.url).refresh('refresh')).rejects.toThrow(/30 s/);
    expect(server.asked).toHaveLength(2);
  });

  it('is honoured for an hour at most', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const server = await answering(busy('9'.repeat(400)), good);
    const endpoint = endpointAt(server.url);
    await expect(endpoint.refresh('refresh')).rejects.toThrow(/3600 s/);
    vi.advanceTimersByTime(3_599_000);
    await expect(endpoint.refresh('refresh')).rejects.toThrow(/3600 s/);
    vi.advanceTimersByTime(2_000);
    await endpoint.refresh('refresh');
  });

  it('lasts no longer because the clock was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const server = await answering(busy('40'), good);
    const endpoint = endpointAt(server.url);
    await expect(endpoint.refresh('refresh')).rejects.toThrow(/40 s/);
    vi.setSystemTime(Date.now() - 86_400_000);
    vi.advanceTimersByTime(41_000);
    await endpoint.refresh('refresh');
  });
});

describe('a token request', () => {
  it.each([
    ['a broken connection', ''],
    ['HTTP 500', httpAnswer(500, '{}')],
  ])('with a code is sent once where %s may mean that it was served', async (_, answer) => {
    const server = await answering(answer, good);
    const exchanged = endpointAt(server.url).exchange('code', 'verifier', `${server.url}/code`);
    await expect(exchanged).rejects.toMatchObject({ code: 'TOKEN_ENDPOINT_UNAVAILABLE' });
    expect(server.asked).toHaveLength(1);
  });

  it('with a code is sent again where the server was too busy for it', async () => {
    const server = await answering(busy('0'), good);
    await endpointAt(server.url).exchange('code', 'verifier', `${server.url}/code`);
    expect(server.asked).toHaveLength(2);
  });

  it('is not sent again at once though the server asks for no pause', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    onTestFinished(() => void vi.restoreAllMocks());
    const server = await answering(busy('0'));
    const endpoint = endpointAt(server.url);
    for (const _ of [1, 2]) await expect(endpoint.refresh('refresh')).rejects.toThrow(/HTTP 503/);
    expect(server.asked).toHaveLength(4);
  });

  it('is not sent again at once where all retries have failed', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.1);
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => {
      vi.restoreAllMocks();
      vi.useRealTimers();
    });
    const down = httpAnswer(503, '{}');
    const server = await answering(down, down, down, down, good);
    const endpoint = endpointAt(server.url);
    for (const _ of [1, 2]) {
      await expect(endpoint.refresh('refresh')).rejects.toThrow(/HTTP 503, the last of 4 requests/);
    }
    expect(server.asked).toHaveLength(4);
    vi.advanceTimersByTime(101);
    await endpoint.refresh('refresh');
  });

  it.each(['temporarily_unavailable', 'server_error'])(
    'is sent again after HTTP 400 with %s',
    async (error) => {
      const server = await answering(httpAnswer(400, JSON.stringify({ error })), good);
      await endpointAt(server.url).refresh('refresh');
      expect(server.asked).toHaveLength(2);
    },
  );

  it('has its answer though the app held the event loop beyond the deadline', async () => {
    const server = new Worker(elsewhere, { eval: true, workerData: good });
    onTestFinished(() => void server.terminate());
    const [port] = await once(server, 'message');
    const answered = endpointAt(`http://127.0.0.1:${port}`, 200).refresh('refresh');
    const [seen] = await once(server, 'message');
    expect(seen).toBe(1);
    const until = performance.now() + 400;
    while (performance.now() < until);
    await answered;
    server.postMessage('how many?');
    expect(await once(server, 'message')).toEqual([1]);
  });
});

/** An endpoint whose thread goes on while the test's is held. */
const elsewhere = `
const { parentPort, workerData } = require('node:worker_threads');
let seen = 0;
const server = require('node:net').createServer((socket) => {
  socket.on('error', () => {}).once('data', () => {
    seen += 1;
    parentPort.postMessage(seen);
    setTimeout(() => socket.end(workerData), 50);
  });
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
parentPort.on('message', () => parentPort.postMessage(seen));
`;
