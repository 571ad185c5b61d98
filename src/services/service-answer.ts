/** What the Diaspora service answers: read once, here, and trusted from then on. */
import type { HttpsAnswer } from '../auth/https-request.ts';
import { passingStatuses } from '../auth/token-failure.ts';
import { shownWords } from '../shown-words.ts';

export type ServiceAnswer =
  | { readonly kind: 'done'; readonly done: DoneAnswer }
  /** The service says no, in its own words. `ofToken`: to the access token, and another may do. */
  | {
      readonly kind: 'refused';
      readonly words: string;
      readonly ofToken: boolean;
      readonly passing: boolean;
    }
  /** No answer of a Diaspora service. */
  | { readonly kind: 'unusable'; readonly what: string; readonly passing: boolean };

/** What the service says of what it did. */
export interface DoneAnswer {
  readonly status: 'success' | 'no-op';
  /** Its own words; empty for none. */
  readonly message: string;
  /** All fields of the answer. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** What stands in `status` where a request was not carried out: v3's two, of which v1 has the first. */
const refusedStatuses: ReadonlySet<unknown> = new Set(['error', 'failure']);

/** The words of the public service for a token that is too old, which it says with HTTP 200. */
const inactiveToken = /\btoken is inactive\b/i;

/**
 * Refusals come with an HTTP status, or with 200 and `{ status: 'error', reason }` or `{ status: 'failure', message }`, as the
 * public service has it; FastAPI's own are `{ detail }`. `secrets` are blotted out of the words.
 */
export function readServiceAnswer(answer: HttpsAnswer, secrets: readonly string[]): ServiceAnswer {
  const { status } = answer;
  const passing = passingStatuses.has(status);
  const body = readObject(answer.body);
  if (body === null) {
    const what = describe(answer);
    // A gateway that guards the service speaks of the token, too.
    if (status === 401) return { kind: 'refused', words: what, ofToken: true, passing };
    return { kind: 'unusable', what, passing };
  }
  const isOk = status >= 200 && status < 300;
  const { status: said } = body;
  const words = wordsOf(body);
  if (isOk && (said === 'success' || said === 'no-op')) {
    return {
      kind: 'done',
      done: { status: said, message: shownWords(words ?? '', secrets), body },
    };
  }
  if (words === null || (isOk && !refusedStatuses.has(said))) {
    return { kind: 'unusable', what: `HTTP ${status} with JSON of another kind`, passing };
  }
  const ofToken = status === 401 || inactiveToken.test(words);
  return { kind: 'refused', words: shownWords(words, secrets), ofToken, passing };
}

function readObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : null;
  } catch {
    return null;
  }
}

function wordsOf(body: Readonly<Record<string, unknown>>): string | null {
  const { reason, message, detail } = body;
  for (const value of [reason, message, detail]) {
    if (typeof value === 'string' && value.trim() !== '') return value;
  }
  return Array.isArray(detail) ? detail.map(describeInvalid).join('; ') : null;
}

/** FastAPI's list of what is wrong: `[{ loc: ['header', 'subject'], msg: 'Field required' }]`. */
function describeInvalid(item: unknown): string {
  const { loc, msg }: { loc?: unknown; msg?: unknown } = Object(item);
  const place = Array.isArray(loc) ? `${loc.map(String).join('.')}: ` : '';
  return place + (typeof msg === 'string' ? msg : 'invalid');
}

/** Nothing of the page itself: it is somebody else's. */
function describe({ status, headers, body }: HttpsAnswer): string {
  const { location } = headers;
  if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location)) {
    return `HTTP ${status}, a redirect to ${new URL(location).origin}`;
  }
  if (body.trim() === '') return `HTTP ${status} without content`;
  return /^\s*</.test(body) ? `HTTP ${status} with a web page` : `HTTP ${status} without JSON`;
}
