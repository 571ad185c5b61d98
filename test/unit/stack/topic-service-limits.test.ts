/** What bounds the topic service's work: all on real sockets, with clients that hang up. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Callers } from '../../../stack/topic-service/callers.ts';
import { GlobusTokens } from '../../../stack/topic-service/globus-tokens.ts';
import { globus, listening, subject } from './topic-service-server.ts';

const client = { clientId: 'service', clientSecret: 'a secret' };
const active = {
  active: true,
  sub: subject,
  scope: 'https://auth.globus.org/scopes/service/action_all',
};
const headersOf = (token: string) => ({ subject, authorization: `Bearer ${token}` });
const bytesOf = (token: string): string =>
  `GET /work HTTP/1.1\r\nHost: x\r\nSubject: ${subject}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
const token = 'a'.repeat(20);

/** A promise that a test keeps until it is let go. */
function held(): { readonly until: Promise<void>; letGo(): void } {
  let letGo = (): void => {};
  const until = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return { until, letGo: () => letGo() };
}

async function hangUp(sockets: readonly Socket[]): Promise<void> {
  const closed = sockets.map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

describe('Work of a subject', () => {
  it('counts until it is done, whether or not the client still waits, and no longer', async () => {
    const { introspectionUrl } = await globus(() => active);
    const callers = new Callers(new GlobusTokens({ introspectionUrl, ...client }));
    const work = held();
    let begun = 0;
    let gone = 0;
    const server = await listening(1_000, (app) => {
      app.addHook('onRequest', async (_request, reply) => {
        reply.raw.once('close', () => {
          gone += 1;
        });
      });
      app.get(
        '/work',
        callers.served(async () => {
          begun += 1;
          await work.until;
          return {};
        }),
      );
    });
    const ask = (): Promise<Response> => fetch(`${server.url}/work`, { headers: headersOf(token) });
    const sockets = Array.from({ length: 100 }, () => server.send(bytesOf(token)));
    await expect.poll(() => begun).toBe(100);
    await hangUp(sockets);
    await expect.poll(() => gone).toBe(100);
    expect((await ask()).status).toBe(429);
    work.letGo();
    expect((await ask()).status).toBe(200);
  });
});

describe('Work in all', () => {
  it('is bounded with those who hung up, refused beyond that, and said once in the log', async () => {
    const work = held();
    let begun = 0;
    let gone = 0;
    const server = await listening(3, (app) => {
      app.addHook('onRequest', async (_request, reply) => {
        reply.raw.once('close', () => {
          gone += 1;
        });
      });
      app.get('/work', async () => {
        begun += 1;
        await work.until;
        return {};
      });
    });
    const sockets = Array.from({ length: 3 }, () => server.send(bytesOf(token)));
    await expect.poll(() => begun).toBe(3);
    await hangUp(sockets);
    await expect.poll(() => gone).toBe(3);
    for (let time = 0; time < 5; time += 1) {
      const response = await fetch(`${server.url}/work`);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toMatchObject({ code: 'BUSY' });
    }
    expect(server.log).toEqual(['Busy: 3 requests are under way.']);
    work.letGo();
    expect((await fetch(`${server.url}/work`)).status).toBe(200);
  });

  it('is not what clients take who are still sending', async () => {
    let connected = 0;
    const server = await listening(3, (app) => {
      app.addHook('onRequest', async () => {
        connected += 1;
      });
      app.post('/work', async () => ({}));
    });
    for (let slow = 0; slow < 10; slow += 1) {
      server.send(
        'POST /work HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nx=',
      );
    }
    await expect.poll(() => connected).toBe(10);
    const response = await fetch(`${server.url}/work`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b' }),
    });
    expect(response.status).toBe(200);
  });
});

describe('Questions to Globus', () => {
  it('are few at a time, as many wait as the line is long, and nobody is asked for whom has hung up', async () => {
    const answers = held();
    const { introspectionUrl, questions } = await globus(async () => {
      await answers.until;
      return active;
    });
    const tokens = new GlobusTokens({ introspectionUrl, ...client });
    let isWanted = true;
    const all = Array.from({ length: 32 + 1_000 }, (_, index) =>
      tokens.check(subject, `${token}${index}`, () => isWanted),
    );
    const settled = Promise.allSettled(all);
    await expect.poll(() => questions).toHaveLength(32);
    const late = tokens.check(subject, `${token}late`, () => true);
    await expect(late).rejects.toMatchObject({ status: 503, code: 'BUSY' });
    isWanted = false;
    answers.letGo();
    const codes = (await settled).map((one) =>
      one.status === 'fulfilled' ? 'checked' : one.reason.code,
    );
    expect(codes.filter((code) => code === 'checked')).toHaveLength(32);
    expect(codes.filter((code) => code === 'HUNG_UP')).toHaveLength(1_000);
    expect(questions).toHaveLength(32);
  });

  it('are one where many bring the same token, whoever of them hangs up', async () => {
    const { introspectionUrl, questions } = await globus(() => active);
    const tokens = new GlobusTokens({ introspectionUrl, ...client });
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) => tokens.check(subject, token, () => index > 0)),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'rejected',
      ...Array(99).fill('fulfilled'),
    ]);
    expect(questions).toHaveLength(1);
  });
});
