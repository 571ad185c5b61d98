/** One Globus identity of this thread: gets its access tokens, and says what goes wrong with that. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DiagnosticCode, DiagnosticDetail, Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import { eventService } from './globus-service.ts';
import type { FoundRefreshToken, RefreshTokenOrigin } from './refresh-token-origin.ts';
import { type AccessToken, RenewingToken } from './renewing-token.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import {
  type GlobusTokens,
  hasAccessToken,
  type ReceivedTokens,
  type TokenReply,
} from './token-reply.ts';

const howToSignIn = 'run "npx diaspora-logger request-token"';

const placeNames = {
  option: 'from the options',
  environment: 'from the environment',
  file: 'in the file',
  store: 'in the token store',
} as const;

const intoPlace = { file: 'into the file', store: 'into the token store' } as const;

/** How often, and how many milliseconds apart, a place is looked at again whose token was refused. */
export const lookingAgain = { times: 10, everyMs: 50 } as const;

/** Least time between two diagnostics of the same cause, in milliseconds. */
const sayAgainMs = 1_000;

export class GlobusIdentity {
  readonly #endpoint: TokenEndpoint;
  readonly #origin: RefreshTokenOrigin;
  readonly #isService: boolean;
  readonly #renewing: RenewingToken = new RenewingToken(
    () => this.#obtain(),
    ({ expiresAt }) => {
      this.#say('TOKEN_REFRESHED', `Globus Auth at ${this.#endpoint.issuer} gave a token.`, {
        from: this.#lastFound?.place ?? 'client',
        configured: this.#lastFound?.configured.place ?? 'client',
        scope: this.#lastScope,
        expiresAt,
      });
    },
  );
  /** How often each listens. */
  readonly #listeners = new Map<Diagnostics, number>();
  /** Refresh tokens that were refused with `invalid_grant`: never sent again. */
  readonly #dead = new Set<string>();
  /** What was last said to be missing. */
  #missingSaid: string | null = null;
  /** By `performance.now()`: when a refused refresh token, or a missing one, was last spoken of. */
  #saidAt = Number.NEGATIVE_INFINITY;
  /** What the last token was bought with; null for the client's own secret. */
  #lastFound: Pick<FoundRefreshToken, 'place' | 'configured'> | null = null;
  /** What the last token is good for, as Globus Auth names it. */
  #lastScope = '';

  constructor(endpoint: TokenEndpoint, origin: RefreshTokenOrigin, isService: boolean) {
    this.#endpoint = endpoint;
    this.#origin = origin;
    this.#isService = isService;
  }

  token(): Promise<AccessToken> {
    return this.#renewing.token();
  }

  refused(value: string): void {
    this.#renewing.refused(value);
  }

  /** Diagnostics go to each listener. */
  listen(diagnostics: Diagnostics): void {
    this.#listeners.set(diagnostics, (this.#listeners.get(diagnostics) ?? 0) + 1);
  }

  leave(diagnostics: Diagnostics): void {
    const times = this.#listeners.get(diagnostics) ?? 0;
    if (times > 1) this.#listeners.set(diagnostics, times - 1);
    else this.#listeners.delete(diagnostics);
  }

  close(): void {
    this.#renewing.close();
    this.#endpoint.close();
  }

  async #obtain(): Promise<AccessToken> {
    for (;;) {
      const present = await this.#find();
      if (present === null) return this.#withoutRefreshToken();
      this.#missingSaid = null;
      try {
        return await this.#refresh(present);
      } catch (error) {
        if (!(error instanceof AuthenticationError) || error.code !== 'INVALID_GRANT') throw error;
        this.#dead.add(present.value);
        if (await this.#isReplacedSoon(present)) continue;
        this.#say(
          'REFRESH_TOKEN_INVALID',
          `Globus Auth at ${this.#endpoint.issuer} does not accept the refresh token ${placeNames[present.place]}: ${howToSignIn}. A new one in the file or in the token store is picked up.`,
          { place: present.place },
        );
        this.#saidAt = performance.now();
      }
    }
  }

  async #find(): Promise<FoundRefreshToken | null> {
    try {
      return await this.#origin.find((value) => this.#dead.has(value));
    } catch (error) {
      if (error instanceof AuthenticationError) this.#sayMissing(error.message);
      throw error;
    }
  }

  /** Another process may have used the token up at the same moment, and be about to write down what replaces it. */
  async #isReplacedSoon(refused: FoundRefreshToken): Promise<boolean> {
    for (let look = 0; look <= lookingAgain.times; look += 1) {
      if (look > 0) await delay(lookingAgain.everyMs, undefined, { ref: false });
      const now = await this.#origin.at(refused.configured.place).catch(() => null);
      if (now !== null && !this.#dead.has(now.value)) return true;
    }
    return false;
  }

  async #refresh(present: FoundRefreshToken): Promise<AccessToken> {
    const reply = await this.#ask(() => this.#endpoint.refresh(present.value));
    // Before all else: the old one may have ended with this reply, whatever the tokens in it are good for.
    const tokens = eventServiceTokens(reply);
    const value = (tokens ?? reply.tokens[0])?.refreshToken ?? present.value;
    if (value !== present.value) {
      await this.#keep(present, value, tokens && hasAccessToken(tokens) ? tokens : null);
    }
    return this.#done(this.#choose(reply), present);
  }

  async #withoutRefreshToken(): Promise<AccessToken> {
    if (this.#isService && !this.#origin.isConfigured) {
      const reply = await this.#ask(() => this.#endpoint.clientCredentials());
      return this.#done(this.#choose(reply), null);
    }
    if (this.#dead.size > 0) {
      const message = `The refresh token is no longer good: ${howToSignIn}.`;
      if (this.#isToBeSaidAgain()) this.#say('REFRESH_TOKEN_INVALID', message);
      throw new AuthenticationError('REFRESH_TOKEN_INVALID', message, false);
    }
    const message = `No Globus refresh token: run "npx diaspora-logger request-token --save", or set DIASPORA_REFRESH, or DIASPORA_REFRESH_FILE to a file that holds it.`;
    this.#sayMissing(message);
    throw new AuthenticationError('CREDENTIALS_MISSING', message, false);
  }

  async #ask(request: () => Promise<TokenReply>): Promise<TokenReply> {
    try {
      return await request();
    } catch (error) {
      if (error instanceof AuthenticationError) {
        const until = this.#renewing.goodUntil;
        const meanwhile =
          until === null ? '' : ` The present token serves until ${new Date(until).toISOString()}.`;
        if (error.code === 'TOKEN_ENDPOINT_UNAVAILABLE' || error.code === 'TOKEN_REQUEST_REFUSED') {
          this.#say(error.code, error.message + meanwhile, { goodUntil: until });
        }
      }
      throw error;
    }
  }

  #choose(reply: TokenReply): GlobusTokens {
    const tokens = eventServiceTokens(reply);
    if (tokens && hasAccessToken(tokens)) return tokens;
    if (tokens) {
      const message = `Globus Auth at ${this.#endpoint.issuer} gives no token: its answer came damaged.`;
      this.#say('TOKEN_ENDPOINT_UNAVAILABLE', message);
      throw new AuthenticationError('TOKEN_ENDPOINT_UNAVAILABLE', message, true);
    }
    const message = `Globus Auth at ${this.#endpoint.issuer} answered with no token for the event service (${eventService}): the refresh token is another service's. To get the right one, ${howToSignIn}.`;
    this.#say('TOKEN_REQUEST_REFUSED', message);
    throw new AuthenticationError('TOKEN_REQUEST_REFUSED', message, false);
  }

  async #keep(old: FoundRefreshToken, value: string, tokens: GlobusTokens | null): Promise<void> {
    const { place, leftTo, problem } = await this.#origin.keep(old, value, tokens);
    const kept =
      place !== null
        ? `it is ${placeNames[place]}`
        : leftTo !== null
          ? `another one was put ${intoPlace[leftTo]} meanwhile, and is used from now on`
          : 'it is held in memory alone, and lost at the end of this process';
    const stale =
      (old.place === 'environment' || old.place === 'option') && (place ?? leftTo) === 'store'
        ? ` The one ${placeNames[old.place]} is used up: the token store's is used instead.`
        : '';
    this.#say(
      'TOKEN_ROTATED',
      `Globus Auth replaced the refresh token; ${kept}${problem === null ? '' : `, since ${problem}`}.${stale}`,
      { from: old.place, keptIn: place },
    );
  }

  #done(tokens: GlobusTokens, found: FoundRefreshToken | null): AccessToken {
    this.#lastFound = found;
    this.#lastScope = tokens.scope;
    return { value: tokens.accessToken, expiresAt: tokens.expiresAt };
  }

  /** At once; and again while no access token serves, until one is found or something else is in the way. */
  #sayMissing(message: string): void {
    const isNew = this.#missingSaid !== message;
    this.#missingSaid = message;
    if (isNew) this.#saidAt = performance.now();
    if (isNew || this.#isToBeSaidAgain()) this.#say('CREDENTIALS_MISSING', message);
  }

  /**
   * What was said while the last access token served is old when that ends, and only then records wait: those who count
   * on hearing why, and of the end of it, hear it again.
   */
  #isToBeSaidAgain(): boolean {
    const now = performance.now();
    if (this.#renewing.goodUntil !== null || now - this.#saidAt < sayAgainMs) return false;
    this.#saidAt = now;
    return true;
  }

  #say(code: DiagnosticCode, message: string, detail: DiagnosticDetail = {}): void {
    for (const diagnostics of this.#listeners.keys()) diagnostics.emit(code, message, detail);
  }
}

/** By resource server; a reply that names none has one token, and it is the one that was asked for. */
function eventServiceTokens({ tokens }: TokenReply): ReceivedTokens | null {
  const only = tokens.length === 1 ? tokens[0] : undefined;
  const named = tokens.find(({ resourceServer }) => resourceServer === eventService);
  return named ?? (only?.resourceServer === '' ? only : null);
}
