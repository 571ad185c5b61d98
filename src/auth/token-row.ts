/** One row of the token store, as globus_sdk writes it: its own fields, and those of whoever else keeps something there. */

/** With globus_sdk's own field names: `TokenStorageData`. */
export interface StoredTokens {
  readonly resource_server: string;
  /** Subject of who signed in. */
  readonly identity_id: string | null;
  readonly scope: string;
  readonly access_token: string;
  readonly refresh_token: string | null;
  /** Seconds since the epoch. */
  readonly expires_at_seconds: number;
  readonly token_type: string | null;
  /** Fields that globus_sdk does not know, such as the Python SDK's `secret_key`. Left out: those that are there stay. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

const ownFields: ReadonlySet<string> = new Set([
  'resource_server',
  'identity_id',
  'scope',
  'access_token',
  'refresh_token',
  'expires_at_seconds',
  'token_type',
]);

/** Null for text that is no row. */
export function readRow(json: string, resourceServer: string): StoredTokens | null {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null;
  const text = (name: string): string | null => {
    const value: unknown = Reflect.get(data, name);
    return typeof value === 'string' ? value : null;
  };
  const expiresAt = 'expires_at_seconds' in data ? Number(data.expires_at_seconds) : 0;
  const extra = Object.entries(data).filter(([name]) => !ownFields.has(name));
  return {
    resource_server: resourceServer,
    identity_id: text('identity_id'),
    scope: text('scope') ?? '',
    access_token: text('access_token') ?? '',
    refresh_token: text('refresh_token'),
    expires_at_seconds: Number.isFinite(expiresAt) ? expiresAt : 0,
    token_type: text('token_type'),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
  };
}

/** The text of a row that takes the place of `present`, whose other fields stay unless they are another person's. */
export function writeRow(row: StoredTokens, present: StoredTokens | null): string {
  const { extra = isOfAnother(row, present) ? {} : present?.extra, ...own } = row;
  return JSON.stringify({ ...extra, ...own });
}

/** globus_sdk 3, on which the Python SDK's first versions build, does not say whose a row is. */
function isOfAnother(row: StoredTokens, present: StoredTokens | null): boolean {
  const one = row.identity_id;
  const other = present?.identity_id ?? null;
  return one !== null && other !== null && one !== other;
}
