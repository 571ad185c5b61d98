/**
 * What brokers ask instead of Globus. Tokens that service keys signed are judged here; everything else goes
 * to Globus and its answer back, as they are.
 */
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { looksLikeMskToken, readMskToken } from './msk-token.ts';
import type { ServiceParts } from './parts.ts';
import { Refusal } from './refusal.ts';

export const introspectionPath = '/introspect';

/** Below what brokers wait for, by default a minute, in milliseconds. */
const globusMs = 30_000;

const passedOn = ['authorization', 'content-type', 'accept'] as const;
const passedBack = ['content-type', 'cache-control', 'www-authenticate', 'retry-after'] as const;

export async function addIntrospectionRoute(
  app: FastifyInstance,
  parts: ServiceParts,
): Promise<void> {
  const { keys, issuer, region, introspection } = parts;

  /** RFC 7662, section 2.2. */
  const judge = async (token: string): Promise<object> => {
    const signed = readMskToken(token, Date.now());
    if (!signed || signed.region !== region) return { active: false };
    const subject = await keys.subjectOfSigned(signed.accessKeyId, signed.isSignedWith);
    if (subject === null) return { active: false };
    return {
      active: true,
      token_type: 'Bearer',
      iss: issuer,
      sub: subject,
      username: subject,
      client_id: signed.accessKeyId,
      exp: signed.expiresAt,
    };
  };

  const askGlobus = async (
    headers: Readonly<Record<string, unknown>>,
    body: string,
    reply: FastifyReply,
  ): Promise<FastifyReply> => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    let response: Response;
    let answer: string;
    try {
      response = await fetch(introspection.introspectionUrl, {
        method: 'POST',
        headers: passedOn.flatMap((name): [string, string][] => {
          const value = headers[name];
          return typeof value === 'string' ? [[name, value]] : [];
        }),
        body,
        redirect: 'error',
        signal: AbortSignal.any([gone.signal, AbortSignal.timeout(globusMs)]),
      });
      answer = await response.text();
    } catch (cause) {
      throw new Refusal(503, 'GLOBUS_UNAVAILABLE', 'Globus cannot be asked just now.', { cause });
    }
    for (const name of passedBack) {
      const value = response.headers.get(name);
      if (value !== null) reply.header(name, value);
    }
    return reply.code(response.status).send(answer);
  };

  // In a scope of its own: the body is passed on as it came.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, body),
    );
    scope.post<{ Body: string }>(introspectionPath, async (request, reply) => {
      const token = new URLSearchParams(request.body).get('token') ?? '';
      if (!looksLikeMskToken(token)) return askGlobus(request.headers, request.body, reply);
      if (!isBroker(request.headers.authorization, introspection)) {
        reply.header('www-authenticate', 'Basic realm="introspection"');
        throw new Refusal(401, 'TOKEN_MISSING', "The event service's own credentials are needed.");
      }
      return judge(token);
    });
  });
}

/** Whether these are the credentials that Globus takes, too (RFC 6749, section 2.3.1). */
function isBroker(
  authorization: string | undefined,
  { clientId, clientSecret }: ServiceParts['introspection'],
): boolean {
  const [, encoded = ''] = /^Basic +(\S+)$/i.exec(authorization ?? '') ?? [];
  const given = Buffer.from(encoded, 'base64');
  const forms = [[clientId, clientSecret], [clientId, clientSecret].map(encodeURIComponent)];
  return forms.some((form) => {
    const expected = Buffer.from(form.join(':'));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
