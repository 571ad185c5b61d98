/** The HTTP server: limits, headers, who may post, and how refusals look. The routes are added by others. */
import type { Socket } from 'node:net';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { styleHash } from '../page-style.ts';
import { Refusal } from './refusal.ts';
import { prepareRefusal, refusalBody, refusalFor } from './replies.ts';
import { limitWork } from './work-limit.ts';

/** Bytes: a token has a few hundred, and forms have three fields. */
const bodyLimit = 16 * 1024;
/** For how long a client may take over sending its request, in milliseconds. */
const requestMs = 10_000;
/** For how long a client may go on sending once it is refused, in milliseconds. */
const lingerMs = 1_000;

export interface ServerSettings {
  /** Where people reach the service: its own pages post from there. */
  readonly url: string;
  /** Told of faults, and of nothing secret. */
  readonly log: (line: string) => void;
  /** Requests that are worked on at the same time. */
  readonly atOnce: number;
  readonly connections: number;
  /** Shows a refusal where the route has a form of its own for it; false where it has none. */
  readonly showRefusal: (refusal: Refusal, request: FastifyRequest, reply: FastifyReply) => boolean;
}

export async function createServer(settings: ServerSettings): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit,
    requestTimeout: requestMs,
    keepAliveTimeout: 5_000,
    http: { headersTimeout: requestMs, connectionsCheckingInterval: 1_000 },
    routerOptions: { maxParamLength: 1_000 },
    forceCloseConnections: true,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => {
      const refusal = refusalFor(error);
      prepareRefusal(reply, refusal).send(refusalBody(refusal));
    },
  });
  app.server.maxConnections = settings.connections;
  await app.register(formbody, { bodyLimit });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'style-src': [`'${styleHash}'`],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': ["'none'"],
      },
    },
    // With none at all, browsers would not tell where a post comes from.
    referrerPolicy: { policy: 'same-origin' },
    // A browser heeds it over HTTPS alone.
    strictTransportSecurity: { maxAge: 31_536_000 },
  });
  addBodyTypes(app);

  limitWork(app, settings.atOnce, settings.log);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    refuseCrossSite(request, settings.url);
  });

  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalFor(error);
    // That it is busy was said already, once for many.
    if (refusal.status >= 500 && refusal.code !== 'BUSY') settings.log(faultLine(request, refusal));
    prepareRefusal(reply, refusal);
    hangUpSoon(request, reply);
    if (!settings.showRefusal(refusal, request, reply)) reply.send(refusalBody(refusal));
  });
  app.setNotFoundHandler(() => {
    throw new Refusal(404, 'NOT_FOUND', 'There is nothing at this address.');
  });
  return app;
}

/** Only forms carry something. Clients that say JSON of an empty body, as some do, are not turned away. */
function addBodyTypes(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
    body.length === 0
      ? done(null, undefined)
      : done(Object.assign(new Error('No JSON is taken.'), { statusCode: 415 })),
  );
}

/**
 * Refuses what a page of another site makes a browser send. Browsers say where a request comes from; other
 * programs say nothing. https://web.dev/articles/fetch-metadata
 */
function refuseCrossSite(request: FastifyRequest, url: string): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  const own = [new URL(url).origin, `${request.protocol}://${request.headers.host ?? ''}`];
  const isOwn =
    site === undefined
      ? origin === undefined || own.includes(origin)
      : site === 'same-origin' || site === 'none';
  if (!isOwn) {
    throw new Refusal(403, 'CROSS_SITE', 'A page of another site may not send this.');
  }
}

/**
 * A client that is still sending reads its answer first, and is hung up on then: a connection that is
 * closed with bytes unread is reset, and the answer with it (RFC 9112, section 9.6).
 */
function hangUpSoon(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request;
  if (raw.complete) return;
  reply.removeHeader('connection');
  reply.raw.once('finish', () => {
    setTimeout(() => raw.complete || raw.socket.destroy(), lingerMs).unref();
  });
}

/** What cannot be parsed as a request at all never reaches a route. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, words] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The address or a header is too long.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request took too long to arrive.']
        : ['400 Bad Request', 'The request is not well formed.'];
  const body = JSON.stringify(
    refusalBody(new Refusal(Number(status.slice(0, 3)), 'BAD_REQUEST', words)),
  );
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Whether the client hangs up or not.
  socket.destroySoon();
}

/** The route's pattern, never what was sent: that may hold a token. */
function faultLine(request: FastifyRequest, refusal: Refusal): string {
  const route = `${request.method} ${request.routeOptions.url ?? 'an unknown address'}`;
  return [`${route}: ${refusal.code}`, ...causesOf(refusal)].join(' - ');
}

/** What lies behind it, the nearest first: of `fetch failed`, the causes alone say anything, and some have but a code. */
function causesOf({ cause }: Error): string[] {
  if (!(cause instanceof Error)) return [];
  const code = 'code' in cause ? String(cause.code) : '';
  return [`${cause.name}: ${cause.message || code}`, ...causesOf(cause)];
}
