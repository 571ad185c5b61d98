/** Where the refresh token comes from, and where one that replaces it is kept. */
import { basename } from 'node:path';
import { AuthenticationError } from '../errors.ts';
import { reasonOf } from './failure-reason.ts';
import { eventService } from './globus-service.ts';
import { TokenFile } from './token-file.ts';
import type { GlobusTokens } from './token-reply.ts';
import type { StoredTokens, TokenStore } from './token-store.ts';

const places = ['option', 'environment', 'file', 'store'] as const;

export type RefreshTokenPlace = (typeof places)[number];

export const isPlace = (value: unknown): value is RefreshTokenPlace =>
  places.some((place) => place === value);

/** A refresh token and where it was found. */
export interface FoundRefreshToken {
  /** The one to send. */
  readonly value: string;
  readonly place: RefreshTokenPlace;
  /** What stands in that place: another than `value` where that is held in memory alone. */
  readonly standing: string;
  /** What was looked at first: the store may hold what replaced a token of another place. */
  readonly configured: { readonly place: RefreshTokenPlace; readonly value: string };
}

/** What became of a replacement. */
export interface Kept {
  /** Where it is: null for nowhere but in memory, or nowhere at all. */
  readonly place: 'file' | 'store' | null;
  /** Where somebody put another token meanwhile, which is used instead. */
  readonly leftTo: 'file' | 'store' | null;
  /** Why a better place did not do, without a secret. */
  readonly problem: string | null;
}

export interface OriginOptions {
  readonly refreshToken?: string;
  /** Default `option`. */
  readonly refreshTokenFrom?: 'option' | 'environment';
  readonly refreshTokenFile?: string;
  /** Of a confidential client: without a refresh token it signs in as itself, and the token store is not asked for one. */
  readonly oauthClientSecret?: string;
}

/** Looks in order: the token that was given, the file, the token store. Nothing of it is held but what has no other place. */
export class RefreshTokenOrigin {
  readonly #places: readonly RefreshTokenPlace[];
  readonly #given: string;
  readonly #file: TokenFile | null;
  readonly #store: TokenStore;
  /** Replacements that found no other place, by what they replace. */
  readonly #memory = new Map<string, string>();

  constructor(options: OriginOptions, store: TokenStore) {
    const { refreshToken, refreshTokenFrom = 'option', refreshTokenFile } = options;
    this.#given = refreshToken?.trim() ?? '';
    this.#file = refreshTokenFile === undefined ? null : new TokenFile(refreshTokenFile);
    this.#store = store;
    this.#places = [
      ...(this.#given === '' ? [] : [refreshTokenFrom]),
      ...(this.#file === null ? [] : (['file'] as const)),
      ...(options.oauthClientSecret === undefined ? (['store'] as const) : []),
    ];
  }

  /** Whether there is a place where a refresh token belongs: without one, a service signs in as itself. */
  get isConfigured(): boolean {
    return this.#places.length > 0;
  }

  /**
   * The first that is not known to be dead; null where there is none. Throws `AuthenticationError` with
   * code `CREDENTIALS_MISSING` for a place that cannot be read: what comes after it may be somebody else's.
   */
  async find(isDead: (value: string) => boolean): Promise<FoundRefreshToken | null> {
    for (const place of this.#places) {
      const token = await this.#look(place);
      if (token !== null && !isDead(token.value)) return token;
    }
    return null;
  }

  /** What is found by now where one was found that was configured at `place`. Throws as `find` does. */
  async at(place: RefreshTokenPlace): Promise<FoundRefreshToken | null> {
    return this.#look(place);
  }

  /**
   * Keeps the refresh token that replaces `old` where `old` came from, or in the token store. `tokens`
   * are the event service's own that came with it.
   */
  async keep(old: FoundRefreshToken, value: string, tokens: GlobusTokens | null): Promise<Kept> {
    let problem: string | null = null;
    if (old.place === 'file' && this.#file !== null) {
      try {
        const isKept = await this.#file.replace(old.standing, value);
        return { place: isKept ? 'file' : null, leftTo: isKept ? null : 'file', problem };
      } catch (error) {
        problem = `the file ${this.#file.path} cannot be written (${reasonOf(error)})`;
      }
    }
    try {
      const isKept = await this.#keepInStore(old, value, tokens);
      return { place: isKept ? 'store' : null, leftTo: isKept ? null : 'store', problem };
    } catch (error) {
      // In this process at least. One that comes back is the latest: a circle would have none.
      this.#memory.delete(value);
      this.#memory.set(old.value, value);
      const storeProblem = `the token store cannot be written (${reasonOf(error)})`;
      return {
        place: null,
        leftTo: null,
        problem: problem === null ? storeProblem : `${problem}, ${storeProblem}`,
      };
    }
  }

  /** The store's own row is a person's, and the Python SDK's: only what came from there goes back there. */
  #keepInStore(
    old: FoundRefreshToken,
    value: string,
    tokens: GlobusTokens | null,
  ): Promise<boolean> {
    if (old.configured.place === 'store') {
      return this.#store.update((row) =>
        row?.refresh_token === old.standing ? rowOf(row, value, tokens) : null,
      );
    }
    return this.#store.updateReplacement(old.configured.value, (row) =>
      row === null || row.refresh_token === old.standing ? rowOf(row, value, tokens) : null,
    );
  }

  async #look(place: RefreshTokenPlace): Promise<FoundRefreshToken | null> {
    const value = await this.#read(place);
    if (value === null) return null;
    const configured = { place, value };
    const stored = place === 'store' ? null : await this.#readReplacement(value);
    const standing = stored ?? value;
    return {
      value: this.#latest(standing),
      place: stored === null ? place : 'store',
      standing,
      configured,
    };
  }

  async #read(place: RefreshTokenPlace): Promise<string | null> {
    if (place === 'store') return this.#readStore(() => this.#store.read(eventService));
    if (place !== 'file' || this.#file === null) return this.#given;
    try {
      return await this.#file.read();
    } catch (error) {
      throw missing(
        `the file ${shownPath(this.#file.path)} cannot be read (${reasonOf(error)}). Put the token there: the file is read again at each attempt, and nothing else takes its place.`,
      );
    }
  }

  /** A token that was replaced is never sent again: that can end all tokens of its grant (RFC 9700 section 4.14.2). */
  async #readReplacement(value: string): Promise<string | null> {
    if (!this.#store.isReplaced(value)) return null;
    return this.#readStore(() => this.#store.readReplacement(value));
  }

  #latest(standing: string): string {
    const next = this.#memory.get(standing);
    return next === undefined ? standing : this.#latest(next);
  }

  async #readStore(read: () => Promise<StoredTokens | null>): Promise<string | null> {
    if (this.#store.directory === null) return null;
    try {
      return (await read())?.refresh_token || null;
    } catch (error) {
      throw missing(
        `the token store ${this.#store.path} cannot be read (${reasonOf(error)}). Make it readable, or run "npx diaspora-logger request-token" and set DIASPORA_REFRESH.`,
      );
    }
  }
}

/** Whoever mistakes the one for the other puts the token where the file's name belongs. No usual file has such a name. */
function shownPath(path: string): string {
  return /^["']?[\w-]{40,}["']?$/.test(basename(path))
    ? '(a name that may be the token itself)'
    : path;
}

/** A row with another refresh token; all else stays, unless the event service's own tokens came with it. */
function rowOf(
  row: StoredTokens | null,
  refreshToken: string,
  tokens: GlobusTokens | null,
): StoredTokens {
  return {
    resource_server: eventService,
    identity_id: row?.identity_id ?? null,
    scope: tokens?.scope || (row?.scope ?? ''),
    access_token: tokens?.accessToken ?? row?.access_token ?? '',
    refresh_token: refreshToken,
    expires_at_seconds: tokens
      ? Math.floor(tokens.expiresAt / 1000)
      : (row?.expires_at_seconds ?? 0),
    token_type: tokens?.tokenType ?? row?.token_type ?? null,
  };
}

const missing = (why: string): AuthenticationError =>
  new AuthenticationError('CREDENTIALS_MISSING', `No Globus refresh token: ${why}`, false);
