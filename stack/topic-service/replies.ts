/** Refusals and faults as replies: JSON for programs, text for a terminal, a page for a browser. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from './refusal.ts';

export type ReplyFormat = 'html' | 'json' | 'text';

/** What the client takes best. `curl` without further ado gets text. */
export function formatFor(request: FastifyRequest): ReplyFormat {
  const accept = request.headers.accept ?? '';
  if (/\btext\/html\b/i.test(accept)) return 'html';
  return /\bjson\b/i.test(accept) ? 'json' : 'text';
}

/** The refusal that an error of the framework or of the service stands for. */
export function refusalFor(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { statusCode } = { statusCode: 500, ...Object(error) };
  if (statusCode === 413) {
    return new Refusal(413, 'BODY_TOO_LARGE', 'The request is too large.', { cause: error });
  }
  if (statusCode === 415) {
    return new Refusal(
      415,
      'CONTENT_TYPE',
      'A form is sent as application/x-www-form-urlencoded; the other routes take no body.',
      { cause: error },
    );
  }
  if (statusCode === 414 || statusCode === 431) {
    return new Refusal(statusCode, 'BAD_REQUEST', 'The address or a header is too long.');
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new Refusal(statusCode, 'BAD_REQUEST', 'The request is not well formed.');
  }
  return new Refusal(500, 'FAULT', 'The topic service failed, and has noted why.', {
    cause: error,
    kind: 'failure',
  });
}

/** The refusal for programs: `reason` and `message` say the same, as different versions of clients read one or the other. */
export function refusalBody(refusal: Refusal): object {
  return {
    status: refusal.kind,
    code: refusal.code,
    reason: refusal.message,
    message: refusal.message,
  };
}

/** Sets what every refusal's reply has in common, whatever its form. */
export function prepareRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  reply.code(refusal.status);
  if (refusal.retryAfter !== null) reply.header('retry-after', String(refusal.retryAfter));
  if (refusal.status === 401 && !reply.hasHeader('www-authenticate')) {
    reply.header('www-authenticate', 'Bearer');
  }
  return reply;
}
