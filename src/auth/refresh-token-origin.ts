/** Where the refresh token comes from, and where one that replaces it is kept. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { replaceFile } from './atomic-file.ts';
import { eventService } from './globus-service.ts';
import type { GlobusTokens } from './token-reply.ts';
import type { TokenStore } from './token-store.ts';

export type RefreshTokenPlace = 'option' | 'environment' | 'file' | 'store';

/** A refresh token and where it was found. */
export interface FoundRefreshToken {
  readonly value: string;
  readonly place: RefreshTokenPlace;
}

/** How a replacement was kept. `place` null: nowhere but in memory. */
export interface Kept {
  readonly place: 'file' | 'store' | null;
  /** Why a better place did not do, without a secret. */
  readonly problem: string | null;
}

export interface OriginOptions {
  readonly refreshToken?: string;
  readonly refreshTokenFrom: 'option' | 'environment';
  readonly refreshTokenFile?: string;
  /** Whether the token store is asked at all. */
  readonly useStore: boolean;
}

/** Looks in order: the token that was given, the file, the token store. Nothing of it is held but what has no other place. */
export class RefreshTokenOrigin {
  #given: string | undefined;
  readonly #givenFrom: 'option' | 'environment';
  readonly #file: string | undefined;
  readonly #useStore: boolean;
  readonly #store: TokenStore;
  /** Replacements that found no other place. */
  readonly #memory = new Map<string, string>();

  constructor(options: OriginOptions, store: TokenStore) {
    this.#given = options.refreshToken;
    this.#givenFrom = options.refreshTokenFrom;
    this.#file = options.refreshTokenFile;
    this.#useStore = options.useStore;
    this.#store = store;
  }

  /** The first that is not known to be dead; null where there is none. */
  async find(isDead: (value: string) => boolean): Promise<FoundRefreshToken | null> {
    const candidates: (() => Promise<FoundRefreshToken | null>)[] = [
      async () => found(this.#given, this.#givenFrom),
      async () => found(await this.#readFile(), 'file'),
    ];
    for (const candidate of candidates) {
      const first = await candidate();
      const present = first === null ? null : await this.#successor(first);
      if (present !== null && !isDead(present.value)) return present;
    }
    if (!this.#useStore) return null;
    const stored = await this.#readStore();
    return stored !== null && !isDead(stored.value) ? stored : null;
  }

  /** Keeps the refresh token that replaces `old`, where `old` came from, or in the token store. */
  async keep(old: FoundRefreshToken, tokens: GlobusTokens, value: string): Promise<Kept> {
    let problem: string | null = null;
    if (old.place === 'file' && this.#file !== undefined) {
      try {
        await replaceFile(this.#file, `${value}\n`, 0o600);
        return { place: 'file', problem: null };
      } catch (error) {
        problem = `the file ${this.#file} cannot be written (${reasonOf(error)})`;
      }
    }
    // In this process at once: the store may be out of reach.
    this.#memory.set(old.value, value);
    if (old.place === 'option' || old.place === 'environment') this.#given = value;
    try {
      const known = old.place === 'store' ? await this.#store.read(eventService) : null;
      await this.#store.write({
        resource_server: eventService,
        identity_id: known?.identity_id ?? null,
        scope: tokens.scope || (known?.scope ?? ''),
        access_token: tokens.accessToken,
        refresh_token: value,
        expires_at_seconds: Math.floor(tokens.expiresAt / 1000),
        token_type: tokens.tokenType,
      });
      if (old.place !== 'store') await this.#store.markReplaced(old.value);
      return { place: 'store', problem };
    } catch (error) {
      const storeProblem = `the token store cannot be written (${reasonOf(error)})`;
      return {
        place: null,
        problem: problem === null ? storeProblem : `${problem}, ${storeProblem}`,
      };
    }
  }

  /** A token that was replaced is never sent again: that can end all tokens of its grant (RFC 9700 section 4.14.2). */
  async #successor(token: FoundRefreshToken): Promise<FoundRefreshToken | null> {
    const inMemory = this.#memory.get(token.value);
    if (inMemory !== undefined) return this.#successor({ value: inMemory, place: token.place });
    if (!this.#store.isReplaced(token.value)) return token;
    return this.#readStore();
  }

  async #readFile(): Promise<string | undefined> {
    if (this.#file === undefined) return undefined;
    const content = await readFile(this.#file, 'utf8').catch(() => '');
    return content.trim() || undefined;
  }

  async #readStore(): Promise<FoundRefreshToken | null> {
    try {
      if (!existsSync(this.#store.path)) return null;
      const row = await this.#store.read(eventService);
      return found(row?.refresh_token ?? undefined, 'store');
    } catch {
      // A store that cannot be read holds no credentials: that is what the caller reports.
      return null;
    }
  }
}

const found = (value: string | undefined, place: RefreshTokenPlace): FoundRefreshToken | null =>
  value === undefined || value === '' ? null : { value, place };

/** The system's error code, or the message of an error that cannot hold a token. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
