/** What a test can switch in the stack's service while it runs, and the record of what was asked of it. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ServiceKeys } from './service-keys.ts';

/** What the service does instead of answering. The brokers' introspection is never affected. */
export interface ServiceFault {
  /** Answer with this HTTP status, never answer, break the connection, or answer 200 with a page that is no JSON. */
  readonly kind: 'status' | 'hang' | 'disconnect' | 'garbage';
  /** HTTP status of `status`. Default 503. */
  readonly status?: number;
  /** Value of the header `Retry-After`, as sent. */
  readonly retryAfter?: string;
  /** How many requests meet it. Default: every one, until told otherwise. */
  readonly times?: number;
}

export interface ServiceSwitches {
  /** Age from which on keys are active, in milliseconds. Applies to keys that wait, too. */
  keyDelayMs: number;
  fault: ServiceFault | null;
}

/** One request that came in, but for those to the switches. */
export interface ServiceRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of the answer; null where there was none, or not yet. */
  readonly status: number | null;
}

export const controlPath = '/_control';

const recordedAtMost = 10_000;

export function addSwitches(app: FastifyInstance, keys: ServiceKeys): void {
  const initialDelayMs = keys.keyDelayMs;
  const hanging = new Set<FastifyReply>();
  let requests: { method: string; path: string; at: number; status: number | null }[] = [];
  let fault: ServiceFault | null = null;
  let faultsLeft = 0;
  const set = (change: Partial<ServiceSwitches>): void => {
    if (change.keyDelayMs !== undefined) keys.keyDelayMs = change.keyDelayMs;
    if (change.fault === undefined) return;
    fault = change.fault;
    faultsLeft = fault?.times ?? Number.POSITIVE_INFINITY;
  };

  app.addHook('onRequest', async (request, reply) => {
    const [path = ''] = request.url.split('?');
    if (path.startsWith(controlPath)) return;
    const seen = { method: request.method, path, at: Date.now(), status: null as number | null };
    requests.push(seen);
    if (requests.length > recordedAtMost) requests.shift();
    reply.raw.once('finish', () => {
      seen.status = reply.raw.statusCode;
    });
    if (!fault || faultsLeft <= 0) return;
    faultsLeft -= 1;
    misbehave(fault, reply, hanging);
    return reply;
  });

  app.register(async (scope) => {
    scope.removeContentTypeParser('application/json');
    scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
      done(null, JSON.parse(String(body))),
    );
    scope.post(`${controlPath}/switches`, async (request) => {
      set({ ...Object(request.body) });
      return {};
    });
    scope.post(`${controlPath}/requests`, async () => requests);
    scope.post(`${controlPath}/reset`, async () => {
      set({ keyDelayMs: initialDelayMs, fault: null });
      requests = [];
      for (const reply of hanging) reply.raw.destroy();
      return {};
    });
  });
}

function misbehave(fault: ServiceFault, reply: FastifyReply, hanging: Set<FastifyReply>): void {
  switch (fault.kind) {
    case 'hang':
      reply.hijack();
      hanging.add(reply);
      reply.raw.once('close', () => hanging.delete(reply));
      break;
    case 'disconnect':
      reply.hijack();
      reply.raw.destroy();
      break;
    case 'garbage':
      reply.type('text/html').send('<h1>Captive portal</h1>');
      break;
    case 'status':
      if (fault.retryAfter !== undefined) reply.header('retry-after', fault.retryAfter);
      reply
        .code(fault.status ?? 503)
        .send({ status: 'error', reason: 'Switched on.', message: 'Switched on.' });
  }
}
