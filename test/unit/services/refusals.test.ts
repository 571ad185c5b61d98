import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthenticationError, ServiceError } from '../../../src/errors.ts';
import type { DiasporaClient } from '../../../src/services/diaspora-client.ts';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { RawServer } from '../auth/raw-server.ts';
import { type Fault, PublicService } from './public-service.ts';
import { type Person, personAt } from './signed-in-client.ts';

let globus: Globus;
beforeAll(async () => {
  globus = await startGlobus();
});
afterAll(() => globus.stop());

async function started(): Promise<{
  service: PublicService;
  person: Person;
  diaspora: DiasporaClient;
}> {
  const service = await PublicService.start(globus);
  const person = await personAt(globus, service.url);
  return { service, person, diaspora: person.client() };
}

/** What listing topics throws where the service answers so. */
async function refusedBy(fault: Fault): Promise<{ error: ServiceError; requests: number }> {
  const { service, diaspora } = await started();
  service.fail({ times: 99, ...fault });
  const error: unknown = await diaspora.listTopics().catch((reason: unknown) => reason);
  if (!(error instanceof ServiceError)) throw new Error(`No ServiceError: ${inspect(error)}`);
  return { error, requests: service.seen.length };
}

const json = (body: object): string => JSON.stringify(body);

describe('a refusal', () => {
  it.each<[string, Fault, string]>([
    [
      'with HTTP 200 and a reason',
      { status: 200, body: json({ status: 'error', reason: 'Token lacks the scope for action.' }) },
      'refused to list topics: Token lacks the scope for action. Sign in again',
    ],
    [
      'with HTTP 200 and a message',
      { status: 200, body: json({ status: 'failure', message: 'The cluster is full' }) },
      'refused to list topics: The cluster is full.',
    ],
    [
      'with a status and a reason',
      {
        status: 409,
        body: json({ status: 'error', code: 'X', reason: 'Taken.', message: 'Taken.' }),
      },
      'refused to list topics: Taken (HTTP 409).',
    ],
    [
      "of FastAPI's own",
      { status: 404, body: json({ detail: 'Not Found' }) },
      'refused to list topics: Not Found (HTTP 404). The service does not know this request: is it of another version (option "apiVersion")',
    ],
    [
      "of FastAPI's own, as a list",
      {
        status: 422,
        body: json({
          detail: [{ type: 'missing', loc: ['header', 'subject'], msg: 'Field required' }],
        }),
      },
      'refused to list topics: header.subject: Field required (HTTP 422).',
    ],
  ])('%s is told in the words of the service', async (_how, fault, said) => {
    const { error, requests } = await refusedBy(fault);
    expect(error.message).toContain(said);
    expect(error).toMatchObject({
      code: 'SERVICE_REFUSED',
      status: fault.status,
      retriable: false,
    });
    expect(requests).toBe(1);
  });

  it.each<[string, Fault, string]>([
    [
      'a web page',
      {
        status: 200,
        body: '<!doctype html><h1>It works!</h1>',
        headers: { 'content-type': 'text/html' },
      },
      'HTTP 200 with a web page',
    ],
    ['a page for what is not there', { status: 404, body: '<html>' }, 'HTTP 404 with a web page'],
    ['garbage', { status: 200, body: '\u0000\u0001{]' }, 'HTTP 200 without JSON'],
    ['nothing', { status: 200, body: '' }, 'HTTP 200 without content'],
    ['a list', { status: 200, body: '[1]' }, 'HTTP 200 without JSON'],
    [
      'JSON of something else',
      { status: 200, body: json({ hello: 'world' }) },
      'JSON of another kind',
    ],
    ['a status of its own', { status: 200, body: json({ status: 'up' }) }, 'JSON of another kind'],
    [
      'a redirect',
      { status: 302, headers: { location: 'https://login.example.org/?token=secret' } },
      'HTTP 302, a redirect to https://login.example.org',
    ],
  ])('that is %s asks whether a Diaspora service is there at all', async (_what, fault, said) => {
    const { error, requests } = await refusedBy(fault);
    expect(error.message).toContain(said);
    expect(error.message).toContain('is this the address of a Diaspora service?');
    expect(error.message).toContain('DIASPORA_SERVICE_URL');
    expect(error.message).not.toMatch(/secret|It works/);
    expect(error).toMatchObject({ code: 'SERVICE_ANSWER_UNUSABLE', retriable: false });
    expect(requests).toBe(1);
  });

  it('is no answer where it is longer than answers are', async () => {
    const { error } = await refusedBy({ status: 200, body: 'x'.repeat(5 * 1024 * 1024) });
    expect(error.message).toContain('an answer of more than 4096 KiB');
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: null, retriable: false });
  });

  it('keeps control characters and page-long words to itself', async () => {
    const words = `line one\nline two \u001b[31mred\u202e ${'long '.repeat(500)}`;
    const { error } = await refusedBy({ status: 403, body: json({ reason: words }) });
    expect(error.message).toContain('line one line two [31mred long');
    expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(error.message.length).toBeLessThan(600);
  });
});

describe('a service that is not well', () => {
  it.each([429, 500, 502, 503, 504])('with HTTP %i is asked again', async (status) => {
    const { service, diaspora } = await started();
    service.fail({
      status,
      body: 'Internal Server Error',
      headers: { 'retry-after': '0' },
      times: 3,
    });
    expect(await diaspora.listTopics()).toEqual([]);
    expect(service.seen).toHaveLength(4);
  });

  it('is given up after four attempts, and that is worth another try later', async () => {
    const { error, requests } = await refusedBy({
      status: 503,
      body: json({ status: 'failure', reason: 'The brokers are away.' }),
      headers: { 'retry-after': '0' },
    });
    expect(requests).toBe(4);
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 503, retriable: true });
    expect(error.message).toContain(
      'cannot do so now: The brokers are away (HTTP 503), the last of 4 requests.',
    );
  });

  it('that asks to wait longer than anybody does is not asked again', async () => {
    const { error, requests } = await refusedBy({
      status: 429,
      body: json({ detail: 'Slow down' }),
      headers: { 'retry-after': '3600' },
    });
    expect(requests).toBe(1);
    expect(error.message).toContain('Slow down (HTTP 429). It asks to wait 3600 s.');
  });

  it('that breaks the connection is asked again', async () => {
    const { service, diaspora } = await started();
    service.fail({ status: 'lost' });
    expect(await diaspora.listTopics()).toEqual([]);
    expect(service.seen).toHaveLength(2);
  });

  it('that says nothing is given up at the deadline', async () => {
    const { service, person } = await started();
    const diaspora = person.client({ requestTimeoutMs: 100 });
    service.fail({ status: 'hang', times: 99 });
    await expect(diaspora.listTopics()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      status: null,
      retriable: true,
      message: expect.stringContaining('no answer within 100 ms, the last of 4 requests'),
    });
  });

  it('that is not there is named', async () => {
    // The discard service's port, where nobody listens.
    const person = await personAt(globus, 'http://127.0.0.1:9');
    await expect(person.client().listTopics()).rejects.toThrow(
      /service at http:\/\/127\.0\.0\.1:9 was asked to list topics, and gives no answer: ECONNREFUSED/,
    );
  });

  it('ends its wait when the client is closed', async () => {
    const { service, diaspora } = await started();
    service.fail({ status: 503, headers: { 'retry-after': '20' }, times: 99 });
    const listing = diaspora.listTopics();
    listing.catch(() => {});
    while (service.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await diaspora.close();
    await expect(listing).rejects.toThrow(/closed meanwhile/);
    await expect(diaspora.listTopics()).rejects.toMatchObject({ code: 'CLOSED' });
    await diaspora.close();
  });
});

describe('a token that the service does not take', () => {
  it.each<[string, Fault]>([
    ['HTTP 401', { status: 401, body: json({ detail: 'Unauthorized' }) }],
    ['HTTP 401 of a gateway', { status: 401, body: '<html>' }],
    [
      'the words of the public service',
      { status: 200, body: json({ status: 'error', reason: 'Token is inactive.' }) },
    ],
  ])('by %s is replaced once', async (_how, fault) => {
    const { service, diaspora } = await started();
    service.fail(fault);
    expect(await diaspora.listTopics()).toEqual([]);
    const [first, second] = service.seen.map(({ headers }) => headers.authorization);
    expect(first).toMatch(/^Bearer /);
    expect(second).toMatch(/^Bearer /);
    expect(second).not.toBe(first);
  });

  it('twice in a row says to sign in again', async () => {
    const { service, diaspora } = await started();
    service.fail({
      status: 200,
      body: json({ status: 'error', reason: 'Token is inactive.' }),
      times: 99,
    });
    await expect(diaspora.listTopics()).rejects.toMatchObject({
      code: 'SERVICE_TOKEN_REFUSED',
      message: expect.stringMatching(
        /Token is inactive\. Sign in again: "npx diaspora-logger request-token/,
      ),
    });
    expect(service.seen).toHaveLength(2);
  });

  it('is really ended at Globus Auth, and the next one does', async () => {
    const { service, diaspora } = await started();
    await diaspora.listTopics();
    await globus.revoke(service.seen[0]?.headers.authorization?.slice('Bearer '.length) ?? '');
    expect(await diaspora.listTopics()).toEqual([]);
    expect(service.seen).toHaveLength(3);
  });

  it('because it is another person’s says to name the subject', async () => {
    const { service, person } = await started();
    const other = await globus.signIn('other@example.org');
    const diaspora = person.client({
      refreshToken: other.refreshToken,
      subject: person.signedIn.subject,
    });
    await expect(diaspora.listTopics()).rejects.toThrow(
      /Token does not belong to the user\. .* set DIASPORA_SUBJECT/,
    );
    expect(service.seen).toHaveLength(1);
  });

  it('is none at all where nobody signed in', async () => {
    const { service } = await started();
    const stranger = await personAt(globus, service.url, { isSaved: false });
    const diaspora = stranger.client({ subject: stranger.signedIn.subject });
    const error: unknown = await diaspora.listTopics().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ code: 'CREDENTIALS_MISSING' });
  });
});

describe('a service that repeats the token', () => {
  it.each([
    ['as it is', (token: string) => token],
    ['in base64', (token: string) => Buffer.from(token).toString('base64')],
    ['in hexadecimal', (token: string) => Buffer.from(token).toString('hex').toUpperCase()],
    ['cut', (token: string) => `${token.slice(0, 14)}…`],
    [
      'in an address',
      (token: string) => `https://example.org/?a=b&token=${encodeURIComponent(token)}&c`,
    ],
  ])('%s shows nothing of it', async (_how, repeat) => {
    const server = await RawServer.start((socket, head) => {
      const token = /authorization: Bearer (\S+)/i.exec(head)?.[1] ?? '';
      tokens.push(token);
      const body = json({ status: 'error', reason: `I do not like ${repeat(token)} from you` });
      socket.end(`HTTP/1.1 400 No\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
    const tokens: string[] = [];
    const diaspora = (await personAt(globus, server.url)).client();
    const error: unknown = await diaspora.listTopics().catch((reason: unknown) => reason);
    const [token = ''] = tokens;
    expect(token.length).toBeGreaterThan(20);
    const seen = inspect([error, diaspora], { depth: 9, showHidden: true });
    expect(seen).toContain('I do not like');
    for (let at = 0; at + 12 <= token.length; at += 1) {
      const part = token.slice(at, at + 12);
      expect(seen).not.toContain(part);
      expect(seen).not.toContain(Buffer.from(part).toString('hex').toUpperCase());
    }
    expect(seen).not.toContain(Buffer.from(token).toString('base64').slice(0, 12));
  });
});
