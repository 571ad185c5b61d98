/** Ends tokens at Globus Auth (RFC 7009). */
import { AuthenticationError } from '../errors.ts';
import type { Environment } from '../options.ts';
import { revokePath } from './globus-service.ts';
import { UnansweredRequest } from './https-request.ts';
import { sendRepeatedly } from './repeated-request.ts';

/** An answer has some hundred bytes. */
const answerMaxBytes = 64 * 1024;

export interface RevokeOptions {
  readonly issuer: string;
  /** The client that the token was given to. */
  readonly oauthClientId: string;
  /** Left out for a public client. */
  readonly oauthClientSecret?: string;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  readonly env: Environment;
}

/**
 * Ends an access or refresh token. One that is not known, or has ended before, is no error (RFC 7009
 * section 2.2). Throws `AuthenticationError` with code `TOKEN_ENDPOINT_UNAVAILABLE` or `TOKEN_REQUEST_REFUSED`.
 */
export async function revokeToken(token: string, options: RevokeOptions): Promise<void> {
  const { issuer, oauthClientId, oauthClientSecret, timeoutMs, env } = options;
  const isPublic = oauthClientSecret === undefined;
  const params = new URLSearchParams({ token, ...(isPublic && { client_id: oauthClientId }) });
  const status = await sendRepeatedly(
    {
      method: 'POST',
      url: new URL(revokePath, issuer),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        ...(!isPublic && { authorization: basic(oauthClientId, oauthClientSecret) }),
      },
      body: params.toString(),
      timeoutMs,
      answerMaxBytes,
      env,
    },
    { repeatable: true },
  ).then(
    (answer) => answer.status,
    (error: unknown) => {
      if (!(error instanceof UnansweredRequest)) throw error;
      throw failed('TOKEN_ENDPOINT_UNAVAILABLE', issuer, error.message, true);
    },
  );
  if (status === 200) return;
  const isRefused = status >= 400 && status < 500 && status !== 429;
  const code = isRefused ? 'TOKEN_REQUEST_REFUSED' : 'TOKEN_ENDPOINT_UNAVAILABLE';
  throw failed(code, issuer, `HTTP ${status}`, !isRefused);
}

/** RFC 6749 section 2.3.1: both are form-encoded first. */
function basic(id: string, secret: string): string {
  const encoded = [id, secret].map((part) => new URLSearchParams([['', part]]).toString().slice(1));
  return `Basic ${Buffer.from(encoded.join(':')).toString('base64')}`;
}

const failed = (
  code: string,
  issuer: string,
  reason: string,
  retriable: boolean,
): AuthenticationError =>
  new AuthenticationError(
    code,
    `Globus Auth at ${issuer} has not ended the token: ${reason}.`,
    retriable,
  );
