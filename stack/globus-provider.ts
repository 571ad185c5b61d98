/** oidc-provider, dressed as Globus Auth: its paths, its clients, its reply shapes. */
import { createHash, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type Provider from 'oidc-provider';
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import {
  accessTokenLife,
  authService,
  confidentialClient,
  eventService,
  eventServiceScope,
  eventServiceSecret,
  nativeAppClientId,
  paths,
  personNamed,
  refreshTokenLife,
  resourceServerOf,
} from './globus-facts.ts';
import { problemPage } from './globus-pages.ts';
import type { GlobusStore } from './globus-store.ts';
import type { SwitchBoard } from './globus-switches.ts';

export interface ProviderParts {
  readonly issuer: string;
  readonly store: GlobusStore;
  readonly board: SwitchBoard;
  /** User names by subject: whoever has signed in. */
  readonly people: Map<string, string>;
}

export async function createProvider(parts: ProviderParts): Promise<Provider> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const provider = await silently(async () => {
    const { default: Oidc } = await import('oidc-provider');
    return new Oidc(parts.issuer, configuration(parts, privateKey));
  });
  provider.use<unknown, KoaContextWithOIDC>(async (ctx, next) => {
    if (ctx.path === paths.authorize) askForRefreshToken(ctx);
    await next();
    if (ctx.path === paths.token) await shapeTokenReply(provider, ctx, parts.board, privateKey);
    if (ctx.path === paths.introspect) shapeIntrospection(ctx, parts);
  });
  return provider;
}

/** oidc-provider warns about the runtime and about running without a database: both are as intended here. */
async function silently<T>(make: () => Promise<T>): Promise<T> {
  const { info, warn } = console;
  console.info = () => {};
  console.warn = () => {};
  try {
    return await make();
  } finally {
    console.info = info;
    console.warn = warn;
  }
}

function configuration(
  { issuer, store, board, people }: ProviderParts,
  privateKey: KeyObject,
): Configuration {
  const redirect = {
    redirect_uris: [issuer + paths.authCode],
    response_types: ['code' as const],
    id_token_signed_response_alg: 'RS512' as const,
    application_type: 'native' as const,
  };
  return {
    adapter: (name: string) => store.adapter(name),
    clients: [
      {
        ...redirect,
        client_id: nativeAppClientId,
        client_name: 'Diaspora Event SDK',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
      },
      {
        ...redirect,
        client_id: confidentialClient.clientId,
        client_secret: confidentialClient.clientSecret,
        client_name: 'A service',
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      },
      {
        client_id: eventService,
        client_secret: eventServiceSecret,
        redirect_uris: [],
        response_types: [],
        grant_types: [],
        id_token_signed_response_alg: 'RS512',
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kty: 'RSA', use: 'sig' }] },
    enabledJWA: { idTokenSigningAlgValues: ['RS512'] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    claims: {
      openid: ['sub'],
      email: ['email'],
      profile: ['name', 'preferred_username', 'identity_provider_display_name'],
    },
    scopes: ['openid', 'offline_access', eventServiceScope],
    conformIdTokenClaims: false,
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: true },
    },
    clientBasedCORS: () => false,
    findAccount: (_ctx, subject) => {
      const username = people.get(subject);
      if (username === undefined) return undefined;
      return { accountId: subject, claims: () => claimsOf(username) };
    },
    extraParams: ['access_type'],
    issueRefreshToken: (ctx) => ctx.oidc.entities.AuthorizationCode !== undefined,
    expiresWithSession: () => false,
    rotateRefreshToken: () => board.switches.rotateRefreshTokens,
    ttl: {
      AccessToken: () => board.switches.accessTokenTtl,
      ClientCredentials: () => board.switches.accessTokenTtl,
      AuthorizationCode: 600,
      Grant: refreshTokenLife,
      IdToken: accessTokenLife,
      Interaction: 3_600,
      RefreshToken: refreshTokenLife,
      Session: accessTokenLife,
    },
    routes: {
      authorization: paths.authorize,
      token: paths.token,
      userinfo: paths.userinfo,
      revocation: paths.revoke,
      introspection: paths.introspect,
      jwks: paths.jwks,
    },
    interactions: { url: (_ctx, interaction) => `${paths.interaction}/${interaction.uid}` },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = problemPage(out.error, out.error_description ?? '');
    },
  };
}

function claimsOf(username: string): { sub: string; [claim: string]: unknown } {
  const { subject, name } = personNamed(username);
  return {
    sub: subject,
    name,
    email: username,
    preferred_username: username,
    identity_provider_display_name: 'Local stand-in',
  };
}

/** Globus takes `access_type=offline` for what OpenID Connect calls the scope `offline_access`, without a prompt. */
function askForRefreshToken(ctx: KoaContextWithOIDC): void {
  const { scope } = ctx.query;
  const offline =
    ctx.query['access_type'] === 'offline' || String(scope).includes('offline_access');
  if (offline && typeof scope === 'string') {
    const scopes = new Set([...scope.split(' '), 'offline_access']);
    ctx.query = { ...ctx.query, scope: [...scopes].join(' '), prompt: 'consent' };
  }
}

/** One token a resource server, each with its own refresh token: the shape that facts of Globus's SDK show. */
async function shapeTokenReply(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  board: SwitchBoard,
  key: KeyObject,
): Promise<void> {
  const body: unknown = ctx.body;
  if (ctx.status !== 200 || typeof body !== 'object' || body === null) return;
  const { AccessToken: made, AuthorizationCode: code, RefreshToken: refresh } = ctx.oidc.entities;
  if (!made || !code) {
    const scope = 'scope' in body ? String(body.scope) : '';
    ctx.body = { ...body, resource_server: resourceServerOf(scope), other_tokens: [] };
    return;
  }
  const offline = made.scopes.has('offline_access');
  const replies = [];
  for (const [resourceServer, own] of grouped(made.scopes)) {
    const scope = own.filter((name) => name !== 'offline_access').join(' ');
    const { client } = ctx.oidc;
    if (!client || scope === '') continue;
    const { accountId, grantId, gty } = made;
    const common = { client, accountId, grantId, gty, expiresWithSession: false, scope };
    const access = new provider.AccessToken(common);
    const renewal = new provider.RefreshToken({ ...common, rotations: 0 });
    replies.push({
      access_token: await access.save(),
      ...(offline && { refresh_token: await renewal.save() }),
      expires_in: access.expiration,
      scope,
      token_type: 'Bearer',
      resource_server: resourceServer,
    });
  }
  // The tokens that stand for every resource server at once: Globus has none such.
  await made.destroy();
  await refresh?.destroy();
  const firstServer = board.switches.eventServiceFirst ? eventService : authService;
  replies.sort(
    (a, b) => Number(b.resource_server === firstServer) - Number(a.resource_server === firstServer),
  );
  const [first, ...others] = replies;
  ctx.body = {
    ...first,
    state: ctx.oidc.body?.['state'],
    ...('id_token' in body && {
      id_token: signedLikeGlobus(String(body.id_token), first?.access_token ?? '', key),
    }),
    other_tokens: others,
  };
}

function grouped(scopes: Iterable<string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const scope of scopes) {
    const server = resourceServerOf(scope);
    groups.set(server, [...(groups.get(server) ?? []), scope]);
  }
  return groups;
}

/** Globus's id_token has no `kid` in its header, and its `at_hash` is of the token beside it. */
function signedLikeGlobus(idToken: string, accessToken: string, key: KeyObject): string {
  const payload: unknown = JSON.parse(
    Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString(),
  );
  const atHash = createHash('sha512').update(accessToken).digest().subarray(0, 32);
  const claims = { ...Object(payload), at_hash: atHash.toString('base64url') };
  const signed = [{ typ: 'JWT', alg: 'RS512' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${signed}.${sign('sha512', Buffer.from(signed), key).toString('base64url')}`;
}

function shapeIntrospection(ctx: KoaContextWithOIDC, { people, issuer }: ProviderParts): void {
  const body: unknown = ctx.body;
  if (typeof body !== 'object' || body === null || !('active' in body) || !body.active) return;
  const sub = 'sub' in body ? String(body.sub) : '';
  const username = people.get(sub);
  const claims = username === undefined ? undefined : claimsOf(username);
  ctx.body = {
    ...body,
    // A service's own token: Globus calls it after its client.
    sub: sub || ('client_id' in body ? body.client_id : ''),
    username: username ?? `${'client_id' in body ? body.client_id : ''}@clients.auth.globus.org`,
    name: claims?.['name'] ?? null,
    email: claims?.['email'] ?? null,
    nbf: 'iat' in body ? body.iat : undefined,
    aud: [],
    iss: issuer,
  };
}
