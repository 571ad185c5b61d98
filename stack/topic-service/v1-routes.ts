/** The routes of v1: topics by name, and passwords for SCRAM-SHA-512, whose user is the subject. */
import type { FastifyInstance } from 'fastify';
import { headerOf } from './callers.ts';
import { principalsOf } from './identity.ts';
import type { ServiceParts } from './parts.ts';
import { checkV1Name } from './topic-names.ts';

export function addV1Routes(app: FastifyInstance, parts: ServiceParts): void {
  const { callers, claimed, rights, keys, scramEndpoint } = parts;

  app.post(
    '/v1/create_key',
    callers.served(async (caller) => {
      await claimed.ensureConnectionTest();
      await rights.grantClient(principalsOf(caller));
      const password = await keys.createPassword(caller.subject);
      return {
        status: 'success',
        message: `Key created for ${caller.subject}; earlier ones end when it becomes active`,
        username: caller.subject,
        secret_key: password,
        endpoint: scramEndpoint,
      };
    }),
  );

  app.get(
    '/v1/list_topics',
    callers.served(async (caller) => {
      return { status: 'success', topics: await claimed.of(caller) };
    }),
  );

  app.post(
    '/v1/register_topic',
    callers.served(async (caller, request) => {
      const topic = headerOf(request, 'topic');
      checkV1Name(topic);
      const status = await claimed.claim(topic, caller);
      const message =
        status === 'success'
          ? `Topic ${topic} is registered for ${caller.subject}`
          : `Topic ${topic} is registered already for ${caller.subject}`;
      return { status, message, topics: await claimed.of(caller) };
    }),
  );

  app.post(
    '/v1/unregister_topic',
    callers.served(async (caller, request) => {
      const topic = headerOf(request, 'topic');
      checkV1Name(topic);
      const status = await claimed.giveUp(topic, caller);
      const message =
        status === 'success'
          ? `Topic ${topic} is no longer registered for ${caller.subject}`
          : `Topic ${topic} is not registered for ${caller.subject}`;
      return { status, message, topics: await claimed.of(caller) };
    }),
  );
}
