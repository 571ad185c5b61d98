/** The service key for whoever connects to a broker: stored, cached, made when missing, and looked for again where a broker refuses it. */
import { backOff } from '../back-off.ts';
import { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError, ConfigurationError, ServiceError } from '../errors.ts';
import type { Environment, ResolvedDiaspora } from '../options.ts';
import { isSameKey, isSamePlaceAndKey, type ServiceKey } from './service-key.ts';
import { ServiceSession } from './service-session.ts';

export interface ServiceKeySourceOptions {
  readonly auth: ResolvedDiaspora;
  /** Where troubles are reported. Default: the diagnostics channel alone. */
  readonly diagnostics?: Diagnostics;
  /** Milliseconds that one request to the service or to Globus Auth may take. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** For the token store's directory and the proxy. Default `process.env`. */
  readonly env?: Environment;
}

/** Hands out the service key. Keeps no process alive. */
export interface ServiceKeySource {
  /**
   * The key, from the cache where it can be; made when there is none. A key that was refused is handed out again where no other is
   * found: brokers take their time to know a new one. Throws `ServiceError` or `AuthenticationError` where there is no key at
   * all: the next call looks again.
   */
  key(): Promise<ServiceKey>;
  /** Says that a broker refused a key, by default the present one: the next `key()` looks for another. */
  refused(key?: ServiceKey): void;
  /** Says that nobody answers at the present key's endpoint, or that it has none: another is looked for meanwhile, in the token store and by v3's service. */
  unreachable(): void;
  /** Calls of `key()` fail from now on. */
  close(): void;
}

/** Makes a source. Nothing is asked of anybody before the first `key()`. Throws `ConfigurationError` for a proxy that cannot be used. */
export function openServiceKeySource(options: ServiceKeySourceOptions): ServiceKeySource {
  const { auth, requestTimeoutMs = 10_000, env = process.env } = options;
  const diagnostics = options.diagnostics ?? new Diagnostics();
  return new SessionKeySource(
    new ServiceSession({ auth, diagnostics, requestTimeoutMs, env }),
    diagnostics,
  );
}

/** The service is not asked again at once where it gave no key, in milliseconds; nor after a refusal in its own words. */
const failurePauses = { minMs: 1_000, maxMs: 10_000 } as const;
const refusalPauseMs = 30_000;

/** Nor is it asked more often than this for another key than one that brokers refuse, in milliseconds. */
const askAgainMs = 10_000;

/** Nor, in milliseconds, for another endpoint than one where nobody answers: brokers that are down are no matter of the service. */
const askEndpointMs = 60_000;

/** Brokers may refuse a new key for so long, in milliseconds, before that is spoken of. */
const activationMs = 60_000;

/** Least time between two diagnostics of the same refused key, in milliseconds. */
const sayAgainMs = 1_000;

interface Held {
  readonly key: ServiceKey;
  /** By `performance.now()`, as all times here. */
  readonly since: number;
  isRefused: boolean;
  saidAt: number;
}

class SessionKeySource implements ServiceKeySource {
  readonly #session: ServiceSession;
  readonly #diagnostics: Diagnostics;
  #held: Held | null = null;
  #request: Promise<ServiceKey> | null = null;
  /** The service is not asked before `until`. */
  #pause: { readonly until: number; readonly error: Error } | null = null;
  #failures = 0;
  #askedAgainAt = Number.NEGATIVE_INFINITY;
  #askedEndpointAt = Number.NEGATIVE_INFINITY;

  constructor(session: ServiceSession, diagnostics: Diagnostics) {
    this.#session = session;
    this.#diagnostics = diagnostics;
  }

  async key(): Promise<ServiceKey> {
    if (this.#session.isClosed) {
      throw new AuthenticationError('CLOSED', 'The key source is closed.', false);
    }
    if (this.#held !== null && !this.#held.isRefused) return this.#held.key;
    this.#request ??= this.#find().finally(() => {
      this.#request = null;
    });
    return this.#request;
  }

  refused(key?: ServiceKey): void {
    if (this.#held === null) return;
    // A refusal that comes late is that of a key that was replaced meanwhile.
    if (key === undefined || isSameKey(key, this.#held.key)) this.#held.isRefused = true;
  }

  unreachable(): void {
    const held = this.#held;
    if (held === null || performance.now() - this.#askedEndpointAt < askEndpointMs) return;
    this.#askedEndpointAt = performance.now();
    const { key } = held;
    const since =
      key.version === 'v3' && key.createdAt !== null ? `, made at ${key.createdAt},` : '';
    // Of brokers that it does not name, whoever asks for them speaks.
    if (key.endpoint) {
      this.#diagnostics.emit(
        'BROKER_UNREACHABLE',
        `Nobody answers at ${key.endpoint}: the stored service key${since} has the brokers there. If they have moved, run "npx diaspora-logger keys create", which ends earlier keys, or "npx diaspora-logger keys put" with the new --endpoint; or set DIASPORA_BOOTSTRAP.`,
        { apiVersion: key.version },
      );
    }
    // Nobody waits for it: the service may be out of reach as well, and the brokers are tried again meanwhile.
    this.#elsewhere(key).then(
      (other) => {
        if (this.#held === held && !isSamePlaceAndKey(other, key)) this.#hold(other);
      },
      () => {},
    );
  }

  close(): void {
    this.#held = null;
    this.#session.close();
  }

  async #find(): Promise<ServiceKey> {
    const refused = this.#held;
    if (refused === null) return this.#hold(await this.#present());
    const other = await this.#other(refused.key);
    if (other !== null) return this.#hold(other);
    refused.isRefused = false;
    this.#sayRefused(refused);
    return refused.key;
  }

  #hold(key: ServiceKey): ServiceKey {
    const now = performance.now();
    this.#held = { key, since: now, isRefused: false, saidAt: Number.NEGATIVE_INFINITY };
    return key;
  }

  async #present(): Promise<ServiceKey> {
    const { keys } = this.#session;
    if (this.#pause !== null && performance.now() < this.#pause.until) {
      const stored = await keys.stored();
      if (stored !== null) return stored;
      throw this.#pause.error;
    }
    try {
      const key = await keys.present();
      this.#failures = 0;
      return key;
    } catch (thrown) {
      const error = asFailure(thrown);
      this.#sayFailed(error);
      const isFinal = error instanceof ServiceError && !error.retriable;
      const pauseMs = isFinal ? refusalPauseMs : backOff(this.#failures, failurePauses);
      this.#failures += 1;
      this.#pause = { until: performance.now() + pauseMs, error };
      throw error;
    }
  }

  /** Another process may have stored a new one. v3's service is asked as well: that ends nobody's key. v1's would make a new one, and end all others. */
  async #other(refused: ServiceKey): Promise<ServiceKey | null> {
    const { keys } = this.#session;
    try {
      const stored = await keys.stored();
      if (stored !== null && !isSameKey(stored, refused)) return stored;
      if (refused.version === 'v1') return null;
      if (performance.now() - this.#askedAgainAt < askAgainMs) return null;
      this.#askedAgainAt = performance.now();
      const present = await keys.ask(stored);
      return isSameKey(present, refused) ? null : present;
    } catch (thrown) {
      this.#sayFailed(asFailure(thrown));
      return null;
    }
  }

  /** What a person has stored comes first. Where the service names another place, the two are tried in turn. */
  async #elsewhere(unanswered: ServiceKey): Promise<ServiceKey> {
    const { keys } = this.#session;
    const stored = await keys.stored();
    if (stored !== null && !isSamePlaceAndKey(stored, unanswered)) return stored;
    return unanswered.version === 'v1' ? unanswered : keys.ask(stored);
  }

  #sayRefused(held: Held): void {
    const { key } = held;
    const now = performance.now();
    if (key.fresh && now - held.since < activationMs) return;
    // Another source, or another process, may have made it just now.
    if (ageOf(key) < activationMs) return;
    if (now - held.saidAt < sayAgainMs) return;
    held.saidAt = now;
    const what =
      key.version === 'v1'
        ? `the stored password of ${key.username}: a newer one may have been made elsewhere`
        : `the access key ${key.accessKey}, and no other is found`;
    this.#diagnostics.emit(
      'SERVICE_KEY_REFUSED',
      `The brokers do not accept ${what}. To make a new one, which ends all earlier ones, run "npx diaspora-logger keys create"; to take over another machine's, "npx diaspora-logger keys put". It is picked up from the token store.`,
      { apiVersion: key.version },
    );
  }

  #sayFailed(error: ServiceError | AuthenticationError): void {
    if (this.#session.isClosed) return;
    if (error instanceof ServiceError) {
      const isRefused = error.code === 'SERVICE_REFUSED' || error.code === 'SERVICE_TOKEN_REFUSED';
      const code = isRefused ? 'SERVICE_REFUSED' : 'SERVICE_UNAVAILABLE';
      this.#diagnostics.emit(code, error.message, { status: error.status });
    } else if (ownCodes.has(error.code)) {
      this.#diagnostics.emit('CREDENTIALS_MISSING', error.message);
    }
  }
}

/** Of failures that whoever gives tokens does not speak of itself. */
const ownCodes: ReadonlySet<string> = new Set(['TOKEN_STORE_UNUSABLE', 'SUBJECT_UNKNOWN']);

/** Who signs in to brokers knows two kinds of failure. */
function asFailure(thrown: unknown): ServiceError | AuthenticationError {
  if (thrown instanceof ServiceError || thrown instanceof AuthenticationError) return thrown;
  if (thrown instanceof ConfigurationError) {
    return new AuthenticationError('SUBJECT_UNKNOWN', thrown.message, false, { cause: thrown });
  }
  const what = thrown instanceof Error ? thrown.message : 'unknown error';
  const message = `The service key cannot be had: ${what}.`;
  const options = { status: null, retriable: true };
  return new ServiceError('SERVICE_UNAVAILABLE', message, options, { cause: thrown });
}

/** Milliseconds, by the service's clock and this one; infinite where nobody knows. */
function ageOf(key: ServiceKey): number {
  const madeAt =
    key.version === 'v3' && key.createdAt !== null ? Date.parse(key.createdAt) : Number.NaN;
  return Number.isNaN(madeAt) ? Number.POSITIVE_INFINITY : Date.now() - madeAt;
}
