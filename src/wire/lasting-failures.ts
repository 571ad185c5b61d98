/** Tells failures that last from those that a new attempt mends before anybody need know. */
import { performance } from 'node:perf_hooks';
import type { DiagnosticCode } from '../diagnostics.ts';
import { addressText, type BrokerAddress } from './broker-address.ts';

/** What often passes while it is tried again. Everything else takes a person to mend, and is said at once. */
const passing: ReadonlySet<DiagnosticCode> = new Set<DiagnosticCode>([
  'BROKER_UNREACHABLE',
  'BROKER_HOST_UNKNOWN',
  'CONNECTION_LOST',
  'REQUEST_TIMED_OUT',
]);

/** A failure has lasted at the third in a row, or after so many milliseconds without success. */
const lastingCount = 3;
const lastingMs = 3_000;
/** After so many milliseconds without a failure, the next one is a new matter: a broker may have gone unasked. */
const forgottenMs = 60_000;

interface Failures {
  count: number;
  /** When the first of them began. */
  readonly since: number;
  lastAt: number;
}

/** The failures of each broker since it last answered a request. */
export class LastingFailures {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  /** `now` never goes back, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a failure after `waitedMs` milliseconds of waiting; answers whether it is worth saying. */
  failed(broker: BrokerAddress, code: DiagnosticCode, waitedMs: number): boolean {
    if (!passing.has(code)) return true;
    const now = this.#now();
    const key = addressText(broker);
    let failures = this.#failures.get(key);
    if (failures === undefined || now - failures.lastAt > forgottenMs) {
      failures = { count: 0, since: now - waitedMs, lastAt: now };
      this.#failures.set(key, failures);
    }
    failures.count += 1;
    failures.lastAt = now;
    return failures.count >= lastingCount || now - failures.since >= lastingMs;
  }

  /** The broker has answered a request. That it takes connections is not enough: it may drop each. */
  answered(broker: BrokerAddress): void {
    this.#failures.delete(addressText(broker));
  }
}
