/** A token that renews itself: one request at a time, in the background while the old one serves. */
import { AuthenticationError } from '../errors.ts';

/** An access token and its end. */
export interface AccessToken {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Part of a token's life after which it is renewed, and how far a fleet is spread around it. */
const renewal = { at: 0.8, spread: 0.05 } as const;

/** A token this close to its end is not handed out any more: part of its life, and at most so many milliseconds. */
const lastMoments = { part: 0.05, mostMs: 10_000 } as const;

/** After a failed renewal in the background: part of the token's life, between so many milliseconds. */
const retryPause = { part: 0.05, leastMs: 1_000, mostMs: 30_000 } as const;

/** A broker that refuses every token causes no more than one token request in so many milliseconds. */
const forcedIntervalMs = 10_000;

/** `setTimeout` takes no more. */
const longestTimerMs = 2 ** 31 - 1;

/** When to renew: at 80 % of the life, ± 5 %, so that processes that started together do not ask together. */
export function renewalTime(
  obtainedAt: number,
  expiresAt: number,
  random: () => number = Math.random,
): number {
  const part = renewal.at + (random() * 2 - 1) * renewal.spread;
  return obtainedAt + (expiresAt - obtainedAt) * part;
}

interface Held extends AccessToken {
  readonly life: number;
  readonly renewAt: number;
}

/**
 * Holds one identity's token. `obtain` asks for a new one; it is never called twice at a time.
 * `onRenewed` hears of each new one, once it serves.
 */
export class RenewingToken {
  readonly #obtain: () => Promise<AccessToken>;
  readonly #onRenewed: (token: AccessToken) => void;
  #held: Held | null = null;
  #refused = false;
  #forcedAt = Number.NEGATIVE_INFINITY;
  #retryAt = 0;
  #request: Promise<AccessToken> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    obtain: () => Promise<AccessToken>,
    onRenewed: (token: AccessToken) => void = () => {},
  ) {
    this.#obtain = obtain;
    this.#onRenewed = onRenewed;
  }

  /** A token that is good now. Throws what `obtain` throws, when there is none. */
  async token(): Promise<AccessToken> {
    if (this.#closed) {
      throw new AuthenticationError('CLOSED', 'The token source is closed.', false);
    }
    const now = Date.now();
    const held = this.#usable(now);
    if (held === null) return handedOut(await this.#renew());
    if (now >= held.renewAt && now >= this.#retryAt) this.#renewInBackground();
    return handedOut(held);
  }

  /** A broker refused this token: the next `token()` asks for another, if it is still the present one. */
  refused(value: string): void {
    if (this.#held?.value !== value || Date.now() - this.#forcedAt < forcedIntervalMs) return;
    this.#refused = true;
  }

  /** The end of the token that serves now, in milliseconds since the epoch; null where none does. */
  get goodUntil(): number | null {
    return this.#usable(Date.now())?.expiresAt ?? null;
  }

  close(): void {
    this.#closed = true;
    this.#held = null;
    clearTimeout(this.#timer);
  }

  #usable(now: number): Held | null {
    const held = this.#held;
    if (held === null || this.#refused) return null;
    const margin = Math.min(lastMoments.mostMs, held.life * lastMoments.part);
    return now < held.expiresAt - margin ? held : null;
  }

  #renew(): Promise<AccessToken> {
    this.#request ??= this.#obtainAndHold().finally(() => {
      this.#request = null;
    });
    return this.#request;
  }

  async #obtainAndHold(): Promise<AccessToken> {
    const forced = this.#refused;
    const obtainedAt = Date.now();
    try {
      const token = await this.#obtain();
      if (this.#closed) return token;
      if (forced) {
        this.#refused = false;
        this.#forcedAt = Date.now();
      }
      this.#held = {
        ...token,
        life: token.expiresAt - obtainedAt,
        renewAt: renewalTime(obtainedAt, token.expiresAt),
      };
      this.#retryAt = 0;
      this.#schedule(this.#held.renewAt);
      this.#onRenewed(token);
      return token;
    } catch (error) {
      const held = this.#usable(Date.now());
      if (held !== null) {
        const pause = Math.min(
          retryPause.mostMs,
          Math.max(retryPause.leastMs, held.life * retryPause.part),
        );
        this.#retryAt = Date.now() + pause * (0.8 + Math.random() * 0.4);
        this.#schedule(this.#retryAt);
      }
      throw error;
    }
  }

  #schedule(at: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const wait = Math.min(longestTimerMs, Math.max(0, at - Date.now()));
    this.#timer = setTimeout(() => this.#renewInBackground(), wait).unref();
  }

  #renewInBackground(): void {
    // The failure has been reported by whoever obtains tokens; the old token serves on.
    this.#renew().catch(() => {});
  }
}

const handedOut = ({ value, expiresAt }: AccessToken): AccessToken => ({ value, expiresAt });
