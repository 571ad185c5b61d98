/** What brokers ask instead of Globus: tokens that service keys signed are judged here, Globus about all others. */
import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type IntrospectionSettings, introspect } from './globus-introspection.ts';
import { looksLikeMskToken, readMskToken } from './msk-token.ts';
import type { ServiceParts } from './parts.ts';
import { Refusal } from './refusal.ts';

export const introspectionPath = '/introspect';

/** Below what brokers wait for, by default a minute, in milliseconds. */
const globusMs = 30_000;

export function addIntrospectionRoute(
  app: FastifyInstance,
  {
    keys,
    issuer,
    region,
    introspection,
  }: Pick<ServiceParts, 'keys' | 'issuer' | 'region' | 'introspection'>,
): void {
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

  app.post(
    introspectionPath,
    {
      // Before anything is read: only brokers have tokens judged.
      onRequest: async (request, reply) => {
        if (isBroker(request.headers.authorization, introspection)) return;
        reply.header('www-authenticate', 'Basic realm="introspection"');
        throw new Refusal(401, 'TOKEN_MISSING', "The event service's own credentials are needed.");
      },
    },
    async (request, reply) => {
      const { token }: { token?: unknown } = { ...Object(request.body) };
      if (typeof token !== 'string' || token === '') {
        throw new Refusal(400, 'BAD_REQUEST', 'The form has one field: token.');
      }
      if (looksLikeMskToken(token)) return judge(token);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(globusMs)]);
      return introspect(introspection, token, signal);
    },
  );
}

/** Whether these are the credentials that Globus takes, too (RFC 6749, section 2.3.1). */
function isBroker(
  authorization: string | undefined,
  { clientId, clientSecret }: IntrospectionSettings,
): boolean {
  const [, encoded = ''] = /^Basic +(\S+)$/i.exec(authorization ?? '') ?? [];
  const given = Buffer.from(encoded, 'base64');
  const forms = [[clientId, clientSecret], [clientId, clientSecret].map(encodeURIComponent)];
  return forms.some((form) => {
    const expected = Buffer.from(form.join(':'));
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
