/** What the stand-in has in common with Globus Auth: ids, scopes, life times and the people who can sign in. */
import { createHash } from 'node:crypto';

/** The native app of the event service: a public client, no secret. */
export const nativeAppClientId = 'c5d4fab4-7f0d-422e-b0c8-5c74329b52fe';

/** A client with a secret, as a service would register one. Of the stand-in alone. */
export const confidentialClient = {
  clientId: '6a3f0f2e-3c57-4d3f-9d0a-1f2b5c7d9e11',
  clientSecret: 'local secret: of / a+service=',
} as const;

/** The event service: its id is its resource server and, at introspection, its client id. */
export const eventService = '2b9d2f5c-fa32-45b5-875b-b24cd343b917';
export const eventServiceSecret = 'local-event-service-secret';
export const eventServiceScope = `https://auth.globus.org/scopes/${eventService}/action_all`;

/** Resource server of the OpenID Connect scopes. */
export const authService = 'auth.globus.org';

/** Seconds: 48 hours. */
export const accessTokenLife = 172_800;
/** Seconds: six months. */
export const refreshTokenLife = 15_552_000;

export const paths = {
  authorize: '/v2/oauth2/authorize',
  token: '/v2/oauth2/token',
  userinfo: '/v2/oauth2/userinfo',
  revoke: '/v2/oauth2/token/revoke',
  introspect: '/v2/oauth2/token/introspect',
  jwks: '/jwk.json',
  discovery: '/.well-known/openid-configuration',
  authCode: '/v2/web/auth-code',
  interaction: '/v2/web/interaction',
  control: '/_control',
} as const;

/** Which resource server a scope belongs to. */
export function resourceServerOf(scope: string): string {
  return /\/scopes\/([\da-f-]{36})\//.exec(scope)?.[1] ?? authService;
}

/** A person who signed in. */
export interface Person {
  /** A UUID, the same for a user name at every start. */
  readonly subject: string;
  readonly username: string;
  readonly name: string;
  /** What Globus's clients call the principal: the user name up to the `@`. */
  readonly principal: string;
}

/** Anybody with a name like `name@domain` exists. */
export function personNamed(username: string): Person {
  const hex = createHash('sha256').update(username).digest('hex');
  // Version 5 and the RFC 9562 variant: a subject must look like the UUID that it is at Globus.
  const subject = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
  const principal = username.slice(0, username.indexOf('@'));
  const name = principal
    .split(/[._-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join(' ');
  return { subject, username, name, principal };
}

export const isUsername = (value: string): boolean => /^[^\s@<>"']+@[^\s@<>"']+$/.test(value);
