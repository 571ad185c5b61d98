/** What Globus Auth and the event service are called: ids, scopes, paths. Source: Globus Auth's developer guide and SDK. */

/** Resource server of the event service: tokens are chosen by it, never by their place in a reply. */
export const eventService = '2b9d2f5c-fa32-45b5-875b-b24cd343b917';

/** Resource server of `openid`, `email` and `profile`. */
export const authService = 'auth.globus.org';

export const eventServiceScope: string = `https://auth.globus.org/scopes/${eventService}/action_all`;

/** Who signed in, and the right to act for them while they are away. */
export const signInScope: string = `openid email profile offline_access ${eventServiceScope}`;

export const authorizePath = '/v2/oauth2/authorize';
export const tokenPath = '/v2/oauth2/token';
export const userinfoPath = '/v2/oauth2/userinfo';
export const revokePath = '/v2/oauth2/token/revoke';
/** Page that shows the authorization code to copy. */
export const redirectPath = '/v2/web/auth-code';
