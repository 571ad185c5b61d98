/** How many requests are worked on at the same time, whether those who sent them still wait or not. */
import type { FastifyInstance } from 'fastify';
import { Refusal } from './refusal.ts';

/** At most one line of the log in this time says that the service is busy, in milliseconds. */
const saidMs = 60_000;

/** Refuses what is more than `atOnce`, on all routes that are added from now on. */
export function limitWork(app: FastifyInstance, atOnce: number, log: (line: string) => void): void {
  let underWay = 0;
  let saidAt = Number.NEGATIVE_INFINITY;
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = async function (request, reply) {
      if (underWay >= atOnce) {
        const now = performance.now();
        if (now - saidAt >= saidMs) {
          saidAt = now;
          log(`Busy: ${atOnce} requests are under way.`);
        }
        throw busy();
      }
      underWay += 1;
      try {
        return await handler.call(this, request, reply);
      } finally {
        underWay -= 1;
      }
    };
  });
}

export const busy = (): Refusal =>
  new Refusal(503, 'BUSY', 'The topic service is busy. Try again in a moment.', {
    retryAfter: 1,
    kind: 'failure',
  });
