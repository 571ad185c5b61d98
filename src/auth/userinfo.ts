/** Asks Globus Auth who a token belongs to. */
import { AuthenticationError } from '../errors.ts';
import type { Environment } from '../options.ts';
import { userinfoPath } from './globus-service.ts';
import { UnansweredRequest } from './https-request.ts';
import { sendRepeatedly } from './repeated-request.ts';
import { passingStatuses } from './token-failure.ts';
import { waitedFor } from './waited-for.ts';

/** An answer has some hundred bytes. */
const answerMaxBytes = 64 * 1024;

/** Who somebody is, by Globus Auth. */
export interface Userinfo {
  /** A UUID. */
  readonly subject: string;
  /** Such as `scientist@example.org`; null where the token's scopes do not let it be known. */
  readonly username: string | null;
  /** Who vouches for that name, such as a university; null likewise. */
  readonly identityProvider: string | null;
}

interface AskOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
}

/**
 * Subject of an access token with the scope `openid`; null where Globus Auth does not tell it for this token. Throws
 * `AuthenticationError` with code `TOKEN_ENDPOINT_UNAVAILABLE` where Globus Auth cannot be asked, which is retriable where it may pass, or
 * something else answers in its place: nobody knows then. A call that waits keeps the process alive.
 */
export async function askUserinfo(
  issuer: string,
  accessToken: string,
  options: AskOptions,
): Promise<string | null> {
  const known = await askWhoHolds(issuer, accessToken, options);
  return known?.subject ?? null;
}

/** As `askUserinfo`, with what the scopes `profile` and `email` add. */
export async function askWhoHolds(
  issuer: string,
  accessToken: string,
  { env, timeoutMs }: AskOptions,
): Promise<Userinfo | null> {
  const request = {
    method: 'GET',
    url: new URL(userinfoPath, issuer),
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
    timeoutMs,
    answerMaxBytes,
    env,
  } as const;
  const answer = await waitedFor(sendRepeatedly(request, { repeatable: true })).catch(
    (error: unknown) => {
      if (!(error instanceof UnansweredRequest)) throw error;
      throw untold(issuer, error.message, error.failure.passing);
    },
  );
  if (answer.status === 401 || answer.status === 403) return null;
  if (answer.status !== 200) {
    throw untold(issuer, `HTTP ${answer.status}`, passingStatuses.has(answer.status));
  }
  return readClaims(readJson(answer.body, issuer));
}

function readJson(body: string, issuer: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw untold(issuer, 'an answer without JSON', false);
  }
}

const untold = (issuer: string, reason: string, isPassing: boolean): AuthenticationError =>
  new AuthenticationError(
    'TOKEN_ENDPOINT_UNAVAILABLE',
    `Globus Auth at ${issuer} was asked who is signed in, and cannot say so${isPassing ? ' now' : ''}: ${reason}.`,
    isPassing,
  );

function readClaims(claims: unknown): Userinfo | null {
  const text = (name: string): string | null => {
    const value: unknown = Object(claims)[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const subject = text('sub');
  if (subject === null) return null;
  return {
    subject,
    username: text('preferred_username') ?? text('email'),
    identityProvider: text('identity_provider_display_name'),
  };
}
