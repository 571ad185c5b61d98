/** The routes of v3: namespaces with topics, and keys in the form of AWS's. */
import type { FastifyInstance } from 'fastify';
import type { ServiceParts } from './parts.ts';

interface TopicParams {
  readonly namespace: string;
  readonly topic: string;
}

export function addV3Routes(app: FastifyInstance, parts: ServiceParts): void {
  const { callers, namespaces, keys, endpoint } = parts;

  app.post(
    '/api/v3/user',
    callers.served(async (caller) => {
      const namespace = await namespaces.ensure(caller);
      return {
        status: 'success',
        message: `User ${caller.subject} created with namespace ${namespace}`,
        subject: caller.subject,
        namespace,
      };
    }),
  );

  app.delete(
    '/api/v3/user',
    callers.served(async (caller) => {
      await namespaces.remove(caller);
      await keys.endKeys(caller.subject);
      return { status: 'success', message: `User ${caller.subject} deleted` };
    }),
  );

  app.post(
    '/api/v3/key',
    callers.served(async (caller) => {
      await namespaces.ensure(caller);
      const { id, secret, createdAt, fresh } = await keys.obtainKey(caller.subject);
      return {
        status: 'success',
        message: `Access key ${fresh ? 'created' : 'already exists'} for ${caller.subject}`,
        access_key: id,
        secret_key: secret,
        create_date: new Date(createdAt).toISOString(),
        endpoint,
        fresh,
      };
    }),
  );

  app.delete(
    '/api/v3/key',
    callers.served(async (caller) => {
      await keys.endKeys(caller.subject);
      return { status: 'success', message: `Access key deleted for ${caller.subject}` };
    }),
  );

  app.get(
    '/api/v3/namespace',
    callers.served(async (caller) => {
      const found = await namespaces.list(caller);
      const count = Object.keys(found).length;
      return {
        status: 'success',
        message: `Found ${count} namespaces for ${caller.subject}`,
        namespaces: found,
      };
    }),
  );

  app.post<{ Params: TopicParams }>(
    '/api/v3/:namespace/:topic',
    callers.served<{ Params: TopicParams }>(async (caller, request) => {
      const { namespace, topic } = request.params;
      return { status: 'success', ...(await namespaces.createTopic(caller, namespace, topic)) };
    }),
  );

  app.delete<{ Params: TopicParams }>(
    '/api/v3/:namespace/:topic',
    callers.served<{ Params: TopicParams }>(async (caller, request) => {
      const { namespace, topic } = request.params;
      return { status: 'success', ...(await namespaces.deleteTopic(caller, namespace, topic)) };
    }),
  );

  app.put<{ Params: TopicParams }>(
    '/api/v3/:namespace/:topic/recreate',
    callers.served<{ Params: TopicParams }>(async (caller, request) => {
      const { namespace, topic } = request.params;
      return { status: 'success', ...(await namespaces.recreateTopic(caller, namespace, topic)) };
    }),
  );
}
