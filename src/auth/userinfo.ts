/** Asks Globus Auth who a token belongs to. */
import type { Environment } from '../options.ts';
import { userinfoPath } from './globus-service.ts';
import { sendRequest } from './https-request.ts';
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

/** Subject of an access token with the scope `openid`; null where Globus Auth does not say, for whatever reason. */
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
  try {
    const { status, body } = await waitedFor(
      sendRequest({
        method: 'GET',
        url: new URL(userinfoPath, issuer),
        headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
        timeoutMs,
        answerMaxBytes,
        env,
      }),
    );
    return status === 200 ? readClaims(JSON.parse(body)) : null;
  } catch {
    return null;
  }
}

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
