/** What the service says when it does not do what was asked, each in a sentence of its own. */

/** `error`: whoever asks is not known, or asked in a wrong way. `failure`: it cannot be done. The words of the public service. */
export type RefusalKind = 'error' | 'failure';

/** A stable name of the refusal, for programs. */
export type RefusalCode =
  | 'BAD_REQUEST'
  | 'SUBJECT_INVALID'
  | 'TOKEN_MISSING'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_INACTIVE'
  | 'TOKEN_OF_ANOTHER_SUBJECT'
  | 'TOKEN_WITHOUT_SCOPE'
  | 'TOPIC_NAME_INVALID'
  | 'TOPIC_CLAIMED'
  | 'TOPIC_NAME_RESERVED'
  | 'TOPIC_NAME_COLLIDES'
  | 'TOPIC_NOT_FOUND'
  | 'NAMESPACE_OF_ANOTHER'
  | 'NAMESPACE_NOT_FOUND'
  | 'NAMESPACE_TAKEN'
  | 'CROSS_SITE'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'BODY_TOO_LARGE'
  | 'CONTENT_TYPE'
  | 'TOO_MANY_REQUESTS'
  | 'HUNG_UP'
  | 'BUSY'
  | 'GLOBUS_UNAVAILABLE'
  | 'KAFKA_UNAVAILABLE'
  | 'FAULT';

/** What the form points at when it shows the refusal. */
export type FormField = 'subject_claim' | 'access_token' | 'topic_name';

export interface RefusalDetail {
  readonly kind?: RefusalKind;
  readonly field?: FormField;
  /** Seconds after which to ask again, for the header `Retry-After`. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** Thrown by whatever finds the reason; `server.ts` turns it into a reply. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: RefusalCode;
  readonly kind: RefusalKind;
  readonly field: FormField | null;
  readonly retryAfter: number | null;

  /** `sentence` is shown to whoever asks, as it stands: no secret may be in it. */
  constructor(status: number, code: RefusalCode, sentence: string, detail: RefusalDetail = {}) {
    super(sentence, detail.cause === undefined ? {} : { cause: detail.cause });
    this.status = status;
    this.code = code;
    this.kind = detail.kind ?? 'error';
    this.field = detail.field ?? null;
    this.retryAfter = detail.retryAfter ?? null;
  }
}
