/** Globus, and tokens of the app's own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { confidentialClient } from '../../../stack/globus-facts.ts';
import type { StackClient } from '../../../stack/stack-client.ts';
import { temporaryDirectory } from './environment.ts';
import { type Expected, madeUpSecret, type Way } from './way.ts';

export function refreshTokenWay(stack: StackClient): Way {
  const auth = { type: 'globus' } as const;
  const invalid = {
    code: 'REFRESH_TOKEN_INVALID',
    says: /does not accept the refresh token from the environment: run "npx diaspora-logger request-token"/,
  } as const;
  return {
    name: 'a Globus refresh token',
    async right() {
      const { refreshToken } = await stack.globus.signIn();
      return { options: { auth }, env: { DIASPORA_REFRESH: refreshToken } };
    },
    wrong: {
      what: 'a refresh token that is none',
      make: () => ({ options: { auth }, env: { DIASPORA_REFRESH: madeUpSecret() } }),
      producer: invalid,
      consumer: invalid,
    },
  };
}

export function confidentialClientWay(): Way {
  const { clientId, clientSecret } = confidentialClient;
  const options = { auth: { type: 'globus' } } as const;
  const env = { DIASPORA_SDK_CLIENT_ID: clientId, DIASPORA_SDK_CLIENT_SECRET: clientSecret };
  const refused = {
    code: 'TOKEN_REQUEST_REFUSED',
    says: /HTTP 401, invalid_client.*auth\.oauthClientSecret/,
  } as const;
  return {
    name: 'a Globus confidential client',
    owner: `${clientId}@clients.auth.globus.org`,
    right: () => ({ options, env }),
    wrong: {
      what: 'another secret',
      make: () => ({ options, env: { ...env, DIASPORA_SDK_CLIENT_SECRET: madeUpSecret() } }),
      producer: refused,
      consumer: refused,
    },
  };
}

export const tokenRefused: { readonly producer: Expected; readonly consumer: Expected } = {
  producer: {
    code: 'TOKEN_REFUSED_BY_BROKER',
    says: /^Broker \S+ refused the access token: /,
  },
  consumer: {
    code: 'SIGN_IN_REFUSED',
    says: /^The brokers refused the sign-in \(SASL OAUTHBEARER authentication failed: /,
  },
};

export function tokenModuleWay(stack: StackClient): Way {
  return {
    name: 'a module that answers tokens',
    async right() {
      const { accessToken } = await stack.globus.signIn();
      return { options: { auth: { type: 'token', module: moduleOf(accessToken) } } };
    },
    wrong: {
      what: 'a token that is none',
      make: () => ({ options: { auth: { type: 'token', module: moduleOf(madeUpSecret()) } } }),
      ...tokenRefused,
    },
  };
}

function moduleOf(token: string): string {
  const path = join(temporaryDirectory(), 'token.mjs');
  writeFileSync(path, `export default async () => ${JSON.stringify(token)};\n`);
  return pathToFileURL(path).href;
}
