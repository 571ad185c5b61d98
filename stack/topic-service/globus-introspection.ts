/** The question to Globus what a token is worth (RFC 7662), with the event service's own credentials. */
import { Refusal } from './refusal.ts';

/** How Globus is asked. */
export interface IntrospectionSettings {
  readonly introspectionUrl: string;
  /** The event service's client at Globus. */
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The claims as Globus answers them. @throws Refusal where there is no answer, or none of use, until `signal` ends it. */
export async function introspect(
  { introspectionUrl, clientId, clientSecret }: IntrospectionSettings,
  token: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const credentials = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
  let status: number;
  let claims: Record<string, unknown>;
  try {
    const response = await fetch(introspectionUrl, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}`, accept: 'application/json' },
      body: new URLSearchParams({ token }),
      redirect: 'error',
      signal,
    });
    ({ status } = response);
    if (!response.ok && status !== 401) throw new Error(`Globus answered HTTP ${status}`);
    claims = response.ok ? { ...Object(await response.json()) } : {};
  } catch (cause) {
    throw new Refusal(
      503,
      'GLOBUS_UNAVAILABLE',
      'Globus cannot be asked about the access token just now. Try again in a moment.',
      { retryAfter: 5, cause },
    );
  }
  // RFC 6749, section 5.2: the client is not known, or its secret is wrong.
  if (status === 401) {
    throw new Refusal(
      500,
      'FAULT',
      'The topic service is not set up rightly: Globus does not take its credentials.',
      {
        cause: new Error('Globus refuses TOPIC_SERVICE_CLIENT_ID with TOPIC_SERVICE_CLIENT_SECRET'),
      },
    );
  }
  return claims;
}
