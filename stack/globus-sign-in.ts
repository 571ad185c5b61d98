/** Signs a person in at the Globus stand-in as a browser and a native app would, over real HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import {
  confidentialClient,
  eventService,
  eventServiceScope,
  nativeAppClientId,
  paths,
  personNamed,
} from './globus-facts.ts';

export interface SignedIn {
  /** The event service's tokens. */
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly subject: string;
  readonly principal: string;
  readonly username: string;
}

/** A browser without a window: follows redirects, keeps cookies. Answers the URL where it ends. */
export async function approve(
  authorizeUrl: string,
  username: string,
  decision: 'allow' | 'deny' = 'allow',
): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = new URL(authorizeUrl);
  let body: URLSearchParams | null = null;
  for (let step = 0; step < 20; step += 1) {
    const response: Response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      body,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) cookies.set(name, value);
    }
    const html = await response.text();
    const location = response.headers.get('location');
    body = null;
    if (location !== null) {
      url = new URL(location, url);
      if (url.pathname === paths.authCode) return url;
      continue;
    }
    const action = /action="([^"]+)"/.exec(html)?.[1];
    if (action === undefined) throw new Error(`Sign-in ended at ${url.pathname}: ${html}`);
    url = new URL(action, url);
    body = action.endsWith('/login')
      ? new URLSearchParams({ username, password: 'anything' })
      : new URLSearchParams({ decision });
  }
  throw new Error('Sign-in goes round in circles.');
}

/** The whole flow: authorize, sign in, consent, exchange. */
export async function signIn(
  issuer: string,
  username: string,
  client: 'native' | 'confidential',
): Promise<SignedIn> {
  const verifier = randomBytes(32).toString('base64url');
  const redirectUri = issuer + paths.authCode;
  const clientId = client === 'native' ? nativeAppClientId : confidentialClient.clientId;
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: `openid email profile offline_access ${eventServiceScope}`,
    access_type: 'offline',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const end = await approve(`${issuer}${paths.authorize}?${query}`, username);
  const code = end.searchParams.get('code');
  if (code === null) throw new Error(`No code: ${end.search}`);
  const response = await fetch(issuer + paths.token, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
      client_id: clientId,
      ...(client === 'confidential' && { client_secret: confidentialClient.clientSecret }),
    }),
  });
  const reply: unknown = await response.json();
  const tokens = tokensOf(reply).find(({ resource_server }) => resource_server === eventService);
  if (!tokens) throw new Error(`No token of the event service (HTTP ${response.status}).`);
  const { subject, principal } = personNamed(username);
  return {
    accessToken: String(tokens['access_token']),
    refreshToken: String(tokens['refresh_token']),
    subject,
    principal,
    username,
  };
}

function tokensOf(reply: unknown): Record<string, unknown>[] {
  if (!isObject(reply)) return [];
  const others = reply['other_tokens'];
  return [reply, ...(Array.isArray(others) ? others.filter(isObject) : [])];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
