/** Everything that the Globus stand-in remembers, in memory and without a bound: a soak must not lose tokens. */
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { announceSecret } from './secrets.ts';

/** What an id of these models is to whoever holds it. */
const secretKinds: ReadonlyMap<string, string> = new Map([
  ['AccessToken', 'an access token'],
  ['ClientCredentials', 'an access token'],
  ['RefreshToken', 'a refresh token'],
  ['AuthorizationCode', 'an authorization code'],
]);

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
}

export class GlobusStore {
  readonly #models = new Map<string, Map<string, Entry>>();

  /** The view of one kind of thing that oidc-provider asks for. */
  adapter(model: string): Adapter {
    const entries = new Map<string, Entry>();
    const kind = secretKinds.get(model);
    this.#models.set(model, entries);
    const find = async (
      matches: (payload: AdapterPayload, id: string) => boolean,
    ): Promise<AdapterPayload | undefined> => {
      for (const [id, { payload, expiresAt }] of entries) {
        if (expiresAt > Date.now() && matches(payload, id)) return payload;
      }
      return undefined;
    };
    return {
      upsert: async (id, payload, expiresIn) => {
        if (kind !== undefined) announceSecret({ kind, value: id });
        const expiresAt =
          expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000;
        entries.set(id, { payload, expiresAt });
      },
      find: async (id) => {
        const entry = entries.get(id);
        return entry && entry.expiresAt > Date.now() ? entry.payload : undefined;
      },
      findByUid: (uid) => find((payload) => payload.uid === uid),
      findByUserCode: (code) => find((payload) => payload.userCode === code),
      consume: async (id) => {
        const entry = entries.get(id);
        if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
      },
      destroy: async (id) => {
        entries.delete(id);
      },
      revokeByGrantId: async (grantId) => {
        for (const [id, { payload }] of entries) {
          if (payload.grantId === grantId) entries.delete(id);
        }
      },
    };
  }

  /** Forgets one access or refresh token, and nothing else of its grant. False where there is none. */
  revoke(token: string): boolean {
    const known = [this.#models.get('AccessToken'), this.#models.get('RefreshToken')];
    return known.map((entries) => entries?.delete(token) ?? false).includes(true);
  }
}
