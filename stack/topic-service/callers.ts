/** Who calls: known by an access token, and not with too much at once. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type GlobusTokens, readToken } from './globus-tokens.ts';
import { type Identity, readSubject } from './identity.ts';
import { Refusal } from './refusal.ts';

/** Requests of one subject under way at the same time: what others wait for has a bound. */
const atOnce = 100;

export class Callers {
  readonly #tokens: GlobusTokens;
  readonly #underWay = new Map<string, number>();

  constructor(tokens: GlobusTokens) {
    this.#tokens = tokens;
  }

  /** By the headers `Subject` and `Authorization`. @throws Refusal */
  byHeaders(request: FastifyRequest, reply: FastifyReply): Promise<Identity> {
    const subject = headerOf(request, 'subject');
    return this.admit(subject, bearerToken(headerOf(request, 'authorization')), reply);
  }

  /** @throws Refusal */
  async admit(subject: string, token: string, reply: FastifyReply): Promise<Identity> {
    const caller = await this.#tokens.check(readSubject(subject), readToken(token));
    // Gone while its token was checked: its end would never be told any more.
    if (reply.raw.destroyed) {
      throw new Refusal(400, 'HUNG_UP', 'The caller has hung up before its token was checked.');
    }
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
    reply.raw.once('close', () => this.#release(caller.subject));
    return caller;
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
