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

/** A token that claims to live longer than this, in milliseconds, is renewed as if it lived so long: a year. */
const longestLifeMs = 365 * 86_400_000;

/** However short a token lives, it is not renewed in the background before so many milliseconds are over. */
const leastRenewalMs = 1_000;

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

/**
 * Its times are by `performance.now()`, which goes on evenly where the clock is set. `expiresAt` holds
 * beside `endsAt`: that clock stands still while the machine sleeps.
 */
interface Held extends AccessToken {
  readonly life: number;
  readonly endsAt: number;
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
  #retryAt = Number.NEGATIVE_INFINITY;
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
      await this.#request?.catch(() => {});
      throw new AuthenticationError('CLOSED', 'The token source is closed.', false);
    }
    const held = this.#usable();
    if (held === null) return handedOut(await this.#renew());
    const now = performance.now();
    if (now >= held.renewAt && now >= this.#retryAt) this.#renewInBackground();
    return handedOut(held);
  }

  /** A broker refused this token: the next `token()` asks for another, if it is still the present one. */
  refused(value: string): void {
    if (this.#held?.value !== value) return;
    if (performance.now() - this.#forcedAt >= forcedIntervalMs) this.#refused = true;
  }

  /** The end of the token that serves now, in milliseconds since the epoch; null where none does. */
  get goodUntil(): number | null {
    return this.#usable()?.expiresAt ?? null;
  }

  /**
   * Ends renewals. A request under way goes on, since its answer may be a new refresh token: `token()`
   * throws from now on, and not before that has settled.
   */
  close(): void {
    this.#closed = true;
    this.#held = null;
    clearTimeout(this.#timer);
  }

  #usable(): Held | null {
    const held = this.#held;
    if (held === null || this.#refused) return null;
    const margin = Math.min(lastMoments.mostMs, held.life * lastMoments.part);
    const left = Math.min(held.endsAt - performance.now(), held.expiresAt - Date.now());
    return left > margin ? held : null;
  }

  #renew(): Promise<AccessToken> {
    this.#request ??= this.#obtainAndHold().finally(() => {
      this.#request = null;
    });
    return this.#request;
  }

  async #obtainAndHold(): Promise<AccessToken> {
    const forced = this.#refused;
    try {
      const { value, expiresAt: claimed } = await this.#obtain();
      const received = Date.now();
      const expiresAt = Math.min(claimed, received + longestLifeMs);
      const token = { value, expiresAt };
      if (this.#closed) return token;
      const now = performance.now();
      // A refusal is that of one token: it may have come while this one was under way.
      if (this.#refused && (forced || this.#held?.value !== value)) {
        this.#refused = false;
        this.#forcedAt = now;
      }
      const life = expiresAt - received;
      const endsAt = now + life;
      const renewAt = Math.max(now + leastRenewalMs, renewalTime(now, endsAt));
      this.#held = { ...token, life, endsAt, renewAt };
      this.#retryAt = Number.NEGATIVE_INFINITY;
      this.#schedule(renewAt);
      this.#onRenewed(token);
      return token;
    } catch (error) {
      const held = this.#usable();
      if (held !== null) {
        const pause = Math.min(
          retryPause.mostMs,
          Math.max(retryPause.leastMs, held.life * retryPause.part),
        );
        this.#retryAt = performance.now() + pause * (0.8 + Math.random() * 0.4);
        this.#schedule(this.#retryAt);
      }
      throw error;
    }
  }

  #schedule(at: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const wait = Math.max(0, at - performance.now());
    const next = wait > longestTimerMs ? () => this.#schedule(at) : () => this.#renewInBackground();
    this.#timer = setTimeout(next, Math.min(wait, longestTimerMs)).unref();
  }

  #renewInBackground(): void {
    // The failure has been reported by whoever obtains tokens; the old token serves on.
    this.#renew().catch(() => {});
  }
}

const handedOut = ({ value, expiresAt }: AccessToken): AccessToken => ({ value, expiresAt });
