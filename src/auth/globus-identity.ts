/** One Globus identity of this thread: gets its access tokens, and says what goes wrong with that. */
import type { DiagnosticCode, DiagnosticDetail, Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import { eventService } from './globus-service.ts';
import type {
  FoundRefreshToken,
  RefreshTokenOrigin,
  RefreshTokenPlace,
} from './refresh-token-origin.ts';
import { type AccessToken, RenewingToken } from './renewing-token.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import { type GlobusTokens, type TokenReply, tokensFor } from './token-reply.ts';

const howToSignIn = 'run "npx diaspora-logger request-token"';

const placeNames = {
  option: 'from the options',
  environment: 'from the environment',
  file: 'in the file',
  store: 'in the token store',
} as const;

export class GlobusIdentity {
  readonly #endpoint: TokenEndpoint;
  readonly #origin: RefreshTokenOrigin;
  readonly #isService: boolean;
  readonly #renewing: RenewingToken = new RenewingToken(
    () => this.#obtain(),
    ({ expiresAt }) => {
      this.#say('TOKEN_REFRESHED', `Globus Auth at ${this.#endpoint.issuer} gave a token.`, {
        from: this.#lastFrom,
        expiresAt,
      });
    },
  );
  /** How often each listens. */
  readonly #listeners = new Map<Diagnostics, number>();
  /** Refresh tokens that were refused with `invalid_grant`: never sent again. */
  readonly #dead = new Set<string>();
  #missingWasSaid = false;
  /** What the last token was bought with. */
  #lastFrom: RefreshTokenPlace | 'client' = 'option';

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
      const present = await this.#origin.find((value) => this.#dead.has(value));
      if (present === null) return this.#withoutRefreshToken();
      this.#missingWasSaid = false;
      try {
        return await this.#refresh(present);
      } catch (error) {
        // Another process may have put a new one in its place meanwhile: look again.
        if (!(error instanceof AuthenticationError) || error.code !== 'INVALID_GRANT') throw error;
        this.#dead.add(present.value);
        this.#say(
          'REFRESH_TOKEN_INVALID',
          `Globus Auth at ${this.#endpoint.issuer} does not accept the refresh token ${placeNames[present.place]}: ${howToSignIn}. A new one in the file or in the token store is picked up.`,
          { place: present.place },
        );
      }
    }
  }

  async #refresh(present: FoundRefreshToken): Promise<AccessToken> {
    const tokens = this.#choose(await this.#ask(() => this.#endpoint.refresh(present.value)));
    if (tokens.refreshToken !== null && tokens.refreshToken !== present.value) {
      await this.#keep(present, tokens, tokens.refreshToken);
    }
    return this.#done(tokens, present.place);
  }

  async #withoutRefreshToken(): Promise<AccessToken> {
    if (this.#isService && this.#dead.size === 0) {
      const reply = await this.#ask(() => this.#endpoint.clientCredentials());
      return this.#done(this.#choose(reply), 'client');
    }
    if (this.#dead.size > 0) {
      throw new AuthenticationError(
        'REFRESH_TOKEN_INVALID',
        `The refresh token is no longer good: ${howToSignIn}.`,
        false,
      );
    }
    const message = `No Globus refresh token: run "npx diaspora-logger request-token --save", or set DIASPORA_REFRESH, or DIASPORA_REFRESH_FILE to a file that holds it.`;
    if (!this.#missingWasSaid) this.#say('CREDENTIALS_MISSING', message);
    this.#missingWasSaid = true;
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

  /** By resource server; a reply that names none has one token, and it is the one that was asked for. */
  #choose(reply: TokenReply): GlobusTokens {
    const only = reply.tokens.length === 1 ? reply.tokens[0] : undefined;
    const tokens =
      tokensFor(reply, eventService) ?? (only?.resourceServer === '' ? only : undefined);
    if (tokens) return tokens;
    const message = `Globus Auth at ${this.#endpoint.issuer} answered with no token for the event service (${eventService}): the refresh token is another service's. To get the right one, ${howToSignIn}.`;
    this.#say('TOKEN_REQUEST_REFUSED', message);
    throw new AuthenticationError('TOKEN_REQUEST_REFUSED', message, false);
  }

  async #keep(old: FoundRefreshToken, tokens: GlobusTokens, value: string): Promise<void> {
    const { place, problem } = await this.#origin.keep(old, tokens, value);
    const kept =
      place === 'file'
        ? 'it is in the file'
        : place === 'store'
          ? 'it is in the token store'
          : 'it is held in memory alone, and lost at the end of this process';
    const stale =
      old.place === 'environment' || old.place === 'option'
        ? ` The one ${placeNames[old.place]} is used up: the token store's is used instead.`
        : '';
    this.#say(
      'TOKEN_ROTATED',
      `Globus Auth replaced the refresh token; ${kept}${problem === null ? '' : `, since ${problem}`}.${stale}`,
      { from: old.place, keptIn: place },
    );
  }

  #done(tokens: GlobusTokens, from: RefreshTokenPlace | 'client'): AccessToken {
    this.#lastFrom = from;
    return { value: tokens.accessToken, expiresAt: tokens.expiresAt };
  }

  #say(code: DiagnosticCode, message: string, detail: DiagnosticDetail = {}): void {
    for (const diagnostics of this.#listeners.keys()) diagnostics.emit(code, message, detail);
  }
}
