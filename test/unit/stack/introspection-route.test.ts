/** What brokers ask the topic service, on real sockets. */
import { describe, expect, it } from 'vitest';
import { addIntrospectionRoute } from '../../../stack/topic-service/introspection-route.ts';
import { ServiceKeys } from '../../../stack/topic-service/service-keys.ts';
import { globus, listening, subject, type TestServer } from './topic-service-server.ts';

const client = { clientId: 'service', clientSecret: 'a secret' };
const own = `Basic ${btoa('service:a secret')}`;
const answer = { active: true, sub: subject };

async function serviceFor(introspectionUrl: string): Promise<TestServer> {
  const users = {
    put: async () => {},
    remove: async () => {},
    exists: async () => false,
    names: async () => [],
    close: () => {},
  };
  const keys = new ServiceKeys({ users, serviceSecret: 'x'.repeat(32), keyDelayMs: 0 });
  const introspection = { introspectionUrl, ...client };
  return listening(10, (app) =>
    addIntrospectionRoute(app, { keys, issuer: 'x', region: 'us-east-1', introspection }),
  );
}

const ask = ({ url }: TestServer, token: string, authorization: string): Promise<Response> =>
  fetch(`${url}/introspect`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ token }),
  });

describe('Introspection', () => {
  it('asks Globus for brokers alone, with credentials of its own, and answers as Globus does', async () => {
    const { introspectionUrl, questions } = await globus(() => answer);
    const service = await serviceFor(introspectionUrl);
    const strangers = [
      '',
      `Basic ${btoa('service:wrong')}`,
      `Basic ${btoa('other:x')}`,
      'Bearer x',
    ];
    for (const stranger of strangers) {
      const refused = await ask(service, 'a-token-of-globus', stranger);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('www-authenticate')).toBe('Basic realm="introspection"');
    }
    expect(questions).toEqual([]);
    // As RFC 6749 has it, and as some clients do.
    for (const broker of [own, `Basic ${btoa('service:a%20secret')}`]) {
      const answered = await ask(service, 'a-token-of-globus', broker);
      expect(answered.status).toBe(200);
      expect(await answered.json()).toEqual(answer);
    }
    const question = { authorization: own, body: 'token=a-token-of-globus' };
    expect(questions).toEqual([question, question]);
    expect((await ask(service, '', own)).status).toBe(400);
    expect(questions).toHaveLength(2);
  });

  it('refuses strangers before their body is there', async () => {
    const { introspectionUrl } = await globus(() => answer);
    const { send } = await serviceFor(introspectionUrl);
    const socket = send(
      'POST /introspect HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\n',
    );
    const head = await new Promise((resolve) =>
      socket.once('data', (data) => resolve(String(data))),
    );
    expect(head).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('says in its log that its own credentials are wrong, and which variables hold them', async () => {
    const { introspectionUrl } = await globus(() => ({ error: 'invalid_client' }), 401);
    const service = await serviceFor(introspectionUrl);
    const answered = await ask(service, 'a-token-of-globus', own);
    expect(answered.status).toBe(500);
    expect(await answered.json()).toMatchObject({ code: 'FAULT' });
    expect(service.log).toEqual([
      expect.stringMatching(/TOPIC_SERVICE_CLIENT_ID.*TOPIC_SERVICE_CLIENT_SECRET/),
    ]);
    expect(String(service.log)).not.toContain('a secret');
  });

  it('says in its log why Globus cannot be asked', async () => {
    const service = await serviceFor('http://127.0.0.1:1/introspect');
    expect((await ask(service, 'a-token-of-globus', own)).status).toBe(503);
    expect(service.log).toEqual([
      expect.stringMatching(/GLOBUS_UNAVAILABLE.*(bad port|ECONNREFUSED)/),
    ]);
  });
});
