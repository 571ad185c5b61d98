/** Access tokens from a module of the user's own. */
import { within } from '../deadline.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import { type AccessToken, RenewingToken } from './renewing-token.ts';

/** Milliseconds that the module may take to answer. */
const defaultTimeoutMs = 10_000;

/** A token that does not say when it ends is asked for again after so many milliseconds. */
const assumedLifeMs = 3_600_000;

/** Tokens by the default export of a module: a function that answers a string, or `{ value, expiresAt }`. */
export class TokenModule {
  readonly #url: string;
  readonly #diagnostics: Diagnostics;
  readonly #timeoutMs: number;
  readonly #renewing: RenewingToken = new RenewingToken(() => this.#obtain());

  constructor(url: string, diagnostics: Diagnostics, timeoutMs: number = defaultTimeoutMs) {
    this.#url = url;
    this.#diagnostics = diagnostics;
    this.#timeoutMs = timeoutMs;
  }

  token(): Promise<AccessToken> {
    return this.#renewing.token();
  }

  refused(value: string): void {
    this.#renewing.refused(value);
  }

  close(): void {
    this.#renewing.close();
  }

  async #obtain(): Promise<AccessToken> {
    let answer: unknown;
    try {
      answer = await within(this.#ask(), {
        timeoutMs: this.#timeoutMs,
        late: () => this.#failure(`gave no answer within ${this.#timeoutMs} ms`),
      });
    } catch (error) {
      if (error instanceof AuthenticationError) throw error;
      // Its message is the user's own and may hold a secret: the kind of error is all that is said.
      const kind = error instanceof Error ? error.name : typeof error;
      const code = Object(error).code;
      throw this.#failure(`failed (${typeof code === 'string' ? `${kind}, ${code}` : kind})`);
    }
    const token = readToken(answer, Date.now());
    if (token === null) {
      throw this.#failure(
        'must answer a token, or { value, expiresAt } with milliseconds that are still to come; a token has letters, digits and -._~+/= alone',
      );
    }
    return token;
  }

  async #ask(): Promise<unknown> {
    const module: unknown = await import(this.#url);
    const give: unknown = Object(module).default;
    if (typeof give !== 'function') throw this.#failure('has no function as its default export');
    return give();
  }

  #failure(what: string): AuthenticationError {
    const message = `The token module ${this.#url} ${what}.`;
    this.#diagnostics.emit('TOKEN_MODULE_FAILED', message);
    return new AuthenticationError('TOKEN_MODULE_FAILED', message, true);
  }
}

/** As a bearer token is made of (RFC 6750 section 2.1): a broker reads no other. */
const bearerToken = /^[\w.~+/-]+=*$/;

function readToken(answer: unknown, now: number): AccessToken | null {
  const { value: given, expiresAt }: { value?: unknown; expiresAt?: unknown } =
    typeof answer === 'string' ? { value: answer } : Object(answer);
  // What is read from a file ends with a line's end.
  const value = typeof given === 'string' ? given.trim() : '';
  if (!bearerToken.test(value)) return null;
  if (expiresAt === undefined) return { value, expiresAt: now + assumedLifeMs };
  return typeof expiresAt === 'number' && expiresAt > now ? { value, expiresAt } : null;
}
