/** A request that is sent again where that may help: after failures that pass, as long as the server asks to wait. */
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../back-off.ts';
import {
  type HttpsAnswer,
  type HttpsRequest,
  sendRequest,
  UnansweredRequest,
} from './https-request.ts';
import { readRetryAfter } from './retry-after.ts';
import { type Failure, passingStatuses, unavailable, unservedStatuses } from './token-failure.ts';

/** A request is sent again so many times. */
const retries = 3;

/** Waiting in between, in milliseconds. */
const retryDelays = { minMs: 500, maxMs: 8_000 } as const;

/** Nobody is kept waiting longer than this between requests, in milliseconds, whatever `Retry-After` says. */
const longestWaitMs = 30_000;

/** A last answer, and what the server said of when to come again. */
export interface LastAnswer extends HttpsAnswer {
  /** How often the request was sent. */
  readonly attempts: number;
  /** Milliseconds that its `Retry-After` asks for; null for none. */
  readonly retryAfterMs: number | null;
}

/**
 * As `sendRequest`. A request that is not `repeatable` is only sent again where the server has surely not
 * acted on it. Answers the last answer, whatever its status; throws `UnansweredRequest` where the last
 * attempt had none.
 */
export async function sendRepeatedly(
  request: HttpsRequest,
  { repeatable }: { readonly repeatable: boolean },
): Promise<LastAnswer> {
  let waited = 0;
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await attemptOnce(request);
    const { passing, mayBeServed, retryAfterMs } = outcome;
    const wait = retryAfterMs ?? backOff(attempt, retryDelays);
    const isLast =
      !passing ||
      (mayBeServed && !repeatable) ||
      attempt === retries ||
      waited + wait > longestWaitMs;
    if (isLast) {
      if ('failure' in outcome) throw unanswered(outcome.failure, attempt);
      return { ...outcome.answer, attempts: attempt + 1, retryAfterMs };
    }
    waited += wait;
    await delay(wait, undefined, {
      ref: false,
      ...(request.signal && { signal: request.signal }),
    }).catch(() => {
      throw new UnansweredRequest({ ...unavailable('closed meanwhile'), passing: false });
    });
  }
}

interface Passing {
  readonly passing: boolean;
  readonly mayBeServed: boolean;
  readonly retryAfterMs: number | null;
}

type Outcome = Passing & ({ readonly answer: HttpsAnswer } | { readonly failure: Failure });

function unanswered(failure: Failure, attempt: number): UnansweredRequest {
  if (attempt === 0) return new UnansweredRequest(failure);
  const reason = `${failure.reason}, the last of ${attempt + 1} requests`;
  return new UnansweredRequest({ ...failure, reason });
}

async function attemptOnce(request: HttpsRequest): Promise<Outcome> {
  try {
    const answer = await sendRequest(request);
    return {
      answer,
      passing: passingStatuses.has(answer.status),
      mayBeServed: !unservedStatuses.has(answer.status),
      retryAfterMs: readRetryAfter(answer.headers['retry-after'], Date.now()),
    };
  } catch (error) {
    if (!(error instanceof UnansweredRequest)) throw error;
    const { failure } = error;
    return { failure, ...failure };
  }
}
