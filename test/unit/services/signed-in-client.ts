/** A person who signed in at the Globus stand-in, and clients of theirs. */
import { onTestFinished } from 'vitest';
import { authService, eventService } from '../../../src/auth/globus-service.ts';
import { TokenStore } from '../../../src/auth/token-store.ts';
import type { Environment } from '../../../src/options.ts';
import {
  DiasporaClient,
  type DiasporaClientOptions,
} from '../../../src/services/diaspora-client.ts';
import type { Globus, SignedIn } from '../../../stack/globus.ts';
import { nativeAppClientId } from '../../../stack/globus-facts.ts';
import { temporaryDirectory } from '../auth/signed-in.ts';

export interface Person {
  readonly signedIn: SignedIn;
  readonly store: TokenStore;
  /** Of a machine where the person signed in and saved that. */
  readonly env: Environment;
  /** A client that ends with the test. */
  client(options?: DiasporaClientOptions): DiasporaClient;
}

/** `isSaved` false: the store is empty. */
export async function personAt(
  globus: Globus,
  serviceUrl: string,
  { username, isSaved = true }: { username?: string; isSaved?: boolean } = {},
): Promise<Person> {
  const signedIn = await globus.signIn(username);
  const env = {
    DIASPORA_USER_DIR: temporaryDirectory(),
    DIASPORA_ISSUER: globus.issuer,
    DIASPORA_SERVICE_URL: serviceUrl,
  };
  const store = storeAt(globus, env);
  if (isSaved) await store.write(rowOf(signedIn), rowOf(signedIn, authService));
  return {
    signedIn,
    store,
    env,
    client(options = {}) {
      const client = new DiasporaClient({ env, ...options });
      onTestFinished(() => client.close());
      return client;
    },
  };
}

export const storeAt = ({ issuer }: Globus, env: Environment): TokenStore =>
  new TokenStore({ issuer, oauthClientId: nativeAppClientId, isService: false, env });

export const rowOf = (
  { subject, accessToken, refreshToken }: SignedIn,
  resourceServer: string = eventService,
) => ({
  resource_server: resourceServer,
  identity_id: subject,
  scope: 'action_all',
  access_token: accessToken,
  refresh_token: refreshToken,
  expires_at_seconds: Math.floor(Date.now() / 1000) + 172_800,
  token_type: 'Bearer',
});
