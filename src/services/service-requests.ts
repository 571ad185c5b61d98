/** Requests to the Diaspora service: with an access token, sent again where that helps, and refused with its own words. */
import { type HttpsRequest, UnansweredRequest } from '../auth/https-request.ts';
import { type LastAnswer, sendRepeatedly } from '../auth/repeated-request.ts';
import type { AccessToken, TokenSource } from '../auth/token-source.ts';
import { ServiceError } from '../errors.ts';
import type { Environment } from '../options.ts';
import { type DoneAnswer, readServiceAnswer, type ServiceAnswer } from './service-answer.ts';

/** A list of some thousand topics is below this. */
const answerMaxBytes = 4 * 1024 * 1024;

export interface ServiceRequestsOptions {
  /** Base URL. */
  readonly serviceUrl: string;
  readonly tokens: TokenSource;
  /** Milliseconds that one request may take. */
  readonly requestTimeoutMs: number;
  readonly env: Environment;
  /** Ends requests, and waiting between them. */
  readonly signal: AbortSignal;
}

export interface ServiceRequest {
  readonly method: HttpsRequest['method'];
  /** Begins with a slash; every name in it is encoded. */
  readonly path: string;
  /** What it is for, as in "The Diaspora service at … refused *to list topics*". */
  readonly purpose: string;
  /** Header `Subject`: who asks. */
  readonly subject: string;
  /** Header `Topic`, as v1 has it. */
  readonly topic?: string;
  /** A form to send; it gets the field `access_token`, as the web form has it. */
  readonly form?: Readonly<Record<string, string>>;
  /** Whether it may be sent again though it may have been carried out. */
  readonly repeatable: boolean;
  /** Milliseconds that it may take, where that is longer than others. */
  readonly leastTimeoutMs?: number;
}

/** Keeps no process alive. */
export class ServiceRequests {
  readonly #options: ServiceRequestsOptions;
  #lastToken: string | null = null;

  constructor(options: ServiceRequestsOptions) {
    this.#options = options;
  }

  /** The access token that was shown last: a secret. Null for none. */
  get lastToken(): string | null {
    return this.#lastToken;
  }

  /**
   * Answers what the service did. A token that it does not take is replaced once. Throws `ServiceError` with one of the codes
   * `SERVICE_UNAVAILABLE` (retriable), `SERVICE_REFUSED`, `SERVICE_TOKEN_REFUSED` and `SERVICE_ANSWER_UNUSABLE`; and the
   * `AuthenticationError` of whoever gives tokens.
   */
  async ask(request: ServiceRequest): Promise<DoneAnswer> {
    const { tokens } = this.#options;
    const token = await tokens.token();
    const first = await this.#attempt(request, token);
    if (first.answer.kind === 'done') return first.answer.done;
    if (first.answer.kind !== 'refused' || !first.answer.ofToken)
      throw this.#failure(request, first);
    tokens.refused(token.value);
    const another = await tokens.token();
    if (another.value === token.value) throw this.#failure(request, first);
    const second = await this.#attempt(request, another);
    if (second.answer.kind === 'done') return second.answer.done;
    throw this.#failure(request, second);
  }

  async #attempt(request: ServiceRequest, token: AccessToken): Promise<Attempt> {
    const { serviceUrl, requestTimeoutMs, env, signal } = this.#options;
    const { method, path, subject, topic, form, repeatable, leastTimeoutMs = 0 } = request;
    this.#lastToken = token.value;
    try {
      const last = await sendRepeatedly(
        {
          method,
          url: new URL(serviceUrl + path),
          headers: {
            subject,
            authorization: `Bearer ${token.value}`,
            accept: 'application/json',
            'user-agent': 'diaspora-logger',
            ...(topic !== undefined && { topic }),
            ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
          },
          ...(form && {
            body: new URLSearchParams({ ...form, access_token: token.value }).toString(),
          }),
          timeoutMs: Math.max(requestTimeoutMs, leastTimeoutMs),
          answerMaxBytes,
          env,
          signal,
        },
        { repeatable },
      );
      return { last, answer: readServiceAnswer(last, [token.value]) };
    } catch (error) {
      if (error instanceof UnansweredRequest) throw this.#unanswered(request, error);
      throw error;
    }
  }

  #failure({ purpose }: ServiceRequest, { last, answer }: Attempt): ServiceError {
    const { status, attempts, retryAfterMs } = last;
    const at = `The Diaspora service at ${this.#options.serviceUrl}`;
    if (answer.kind === 'unusable' && !answer.passing) {
      return new ServiceError(
        'SERVICE_ANSWER_UNUSABLE',
        `What is at ${this.#options.serviceUrl} was asked ${purpose}, and answered ${answer.what}: is this the address of a Diaspora service? It is set by the option "auth.serviceUrl" or DIASPORA_SERVICE_URL.`,
        { status, retriable: false },
      );
    }
    const said =
      answer.kind === 'refused' ? answer.words : answer.kind === 'unusable' ? answer.what : '';
    if (passes(answer)) {
      const times = attempts > 1 ? `, the last of ${attempts} requests` : '';
      const wait =
        retryAfterMs === null ? '' : ` It asks to wait ${Math.ceil(retryAfterMs / 1000)} s.`;
      return new ServiceError(
        'SERVICE_UNAVAILABLE',
        `${at} was asked ${purpose}, and cannot do so now: ${withStatus(said, status)}${times}.${wait}`,
        { status, retriable: true },
      );
    }
    const code =
      answer.kind === 'refused' && answer.ofToken ? 'SERVICE_TOKEN_REFUSED' : 'SERVICE_REFUSED';
    return new ServiceError(
      code,
      `${at} refused ${purpose}: ${withStatus(said, status)}.${adviceOn(status, said)}`,
      { status, retriable: false },
    );
  }

  #unanswered({ purpose, repeatable }: ServiceRequest, cause: UnansweredRequest): ServiceError {
    const { passing, mayBeServed } = cause.failure;
    const unsure = mayBeServed && !repeatable ? ' It may have been done all the same.' : '';
    return new ServiceError(
      'SERVICE_UNAVAILABLE',
      `The Diaspora service at ${this.#options.serviceUrl} was asked ${purpose}, and gives no answer: ${cause.message}.${unsure}`,
      { status: null, retriable: passing },
      { cause },
    );
  }
}

interface Attempt {
  readonly last: LastAnswer;
  readonly answer: ServiceAnswer;
}

const passes = (answer: ServiceAnswer): boolean => answer.kind !== 'done' && answer.passing;

/** The public service says some refusals with 200, which would only confuse. */
function withStatus(words: string, status: number): string {
  const sentence = words.replace(/[.\s]+$/, '');
  return status >= 400 && !sentence.startsWith('HTTP ') ? `${sentence} (HTTP ${status})` : sentence;
}

/** How the public service begins what it says of a token. */
const aboutToken = /^(auth |invalid )?token\b/i;

/** What to do about a refusal that the service's words alone do not tell. */
function adviceOn(status: number, words: string): string {
  if (/does not belong to the user|another subject/i.test(words)) {
    return ' The subject is that of another person: set DIASPORA_SUBJECT to the subject claim of who signed in, or sign in again with "npx diaspora-logger request-token --save".';
  }
  if (status === 401 || aboutToken.test(words)) {
    return ' Sign in again: "npx diaspora-logger request-token --save".';
  }
  if ((status === 404 || status === 405) && /^(not found|method not allowed)$/i.test(words)) {
    return ' The service does not know this request: is it of another version (option "auth.apiVersion"), or at another path (option "auth.serviceUrl")?';
  }
  return '';
}
