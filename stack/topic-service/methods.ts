/** Says of an address that is there which methods it takes, where another one is used. */
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Refusal } from './refusal.ts';

const known = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Notes the methods of each route that is added from now on. The answer refuses all others. */
export function noteMethods(app: FastifyInstance): () => void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const noted = methods.get(url) ?? new Set();
    for (const one of [method].flat()) noted.add(one);
    methods.set(url, noted);
  });
  return () => {
    for (const [url, taken] of [...methods]) {
      const allow = [...taken].join(', ');
      const others: HTTPMethods[] = known.filter((method) => !taken.has(method));
      app.route({
        method: others,
        url,
        // Whatever its body is.
        onRequest: async (_request, reply) => {
          reply.header('allow', allow);
          throw new Refusal(405, 'METHOD_NOT_ALLOWED', `This address takes ${allow} alone.`);
        },
        handler: async () => {},
      });
    }
  };
}
