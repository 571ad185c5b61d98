/** Who calls: known by an access token, and not with too much at once. */
import type { FastifyReply, FastifyRequest, RouteGenericInterface } from 'fastify';
import { type GlobusTokens, readToken } from './globus-tokens.ts';
import { type Identity, readSubject } from './identity.ts';
import { Refusal } from './refusal.ts';

/** Requests of one subject that are worked on at the same time: what others wait for has a bound. */
const atOnce = 100;

export class Callers {
  readonly #tokens: GlobusTokens;
  readonly #underWay = new Map<string, number>();

  constructor(tokens: GlobusTokens) {
    this.#tokens = tokens;
  }

  /** A route's handler: does the work for whom the headers `Subject` and `Authorization` name. */
  served<R extends RouteGenericInterface>(
    work: (caller: Identity, request: FastifyRequest<R>) => Promise<object>,
  ): (request: FastifyRequest<R>, reply: FastifyReply) => Promise<object> {
    return async (request, reply) => {
      const subject = readSubject(headerOf(request, 'subject'));
      const token = bearerToken(headerOf(request, 'authorization'));
      return this.serve(subject, token, reply, (caller) => work(caller, request));
    };
  }

  /**
   * Does the work once the token is checked. Until it is done it counts, also where the caller has hung up.
   *
   * @throws Refusal
   */
  async serve<T>(
    subject: string,
    token: string,
    reply: FastifyReply,
    work: (caller: Identity) => Promise<T>,
  ): Promise<T> {
    const isWanted = (): boolean => !reply.raw.destroyed;
    const caller = await this.#tokens.check(subject, readToken(token), isWanted);
    const count = this.#underWay.get(caller.subject) ?? 0;
    if (count >= atOnce) {
      throw new Refusal(
        429,
        'TOO_MANY_REQUESTS',
        `${atOnce} requests of this subject are under way already. Wait for their answers.`,
        { retryAfter: 1 },
      );
    }
    this.#underWay.set(caller.subject, count + 1);
    try {
      return await work(caller);
    } finally {
      this.#release(caller.subject);
    }
  }

  #release(subject: string): void {
    const count = this.#underWay.get(subject) ?? 0;
    if (count > 1) this.#underWay.set(subject, count - 1);
    else this.#underWay.delete(subject);
  }
}

/** The header's value; empty where it is missing. */
export function headerOf(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function bearerToken(authorization: string): string {
  const [, token] = /^Bearer +(.*)$/i.exec(authorization) ?? [];
  if (authorization !== '' && token === undefined) {
    throw new Refusal(
      401,
      'TOKEN_MISSING',
      'The header Authorization must be "Bearer", a space and the access token.',
      { field: 'access_token' },
    );
  }
  return token ?? '';
}
