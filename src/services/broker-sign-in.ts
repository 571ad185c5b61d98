/** Who signs in to the brokers, and how, by the `auth` option: one way for whoever connects to them. */
import { signMskToken } from '../auth/msk-token.ts';
import { RenewingToken } from '../auth/renewing-token.ts';
import { type AccessToken, openTokenSource, type TokenSource } from '../auth/token-source.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError, ServiceError } from '../errors.ts';
import { parseBrokers, type ResolvedConnection, type ResolvedDiaspora } from '../options.ts';
import type { ServiceKey } from './service-key.ts';
import { openServiceKeySource } from './service-key-source.ts';

/** User name and password. */
export interface Account {
  readonly username: string;
  readonly password: string;
}

/** How a broker is shown who connects. Token or account are asked for at each sign-in; each call may throw `AuthenticationError`. */
export type BrokerSignIn = {
  /** The brokers refused this token or password. */
  refused(secret: string): void;
  /** A sentence for where they do: what to do. */
  readonly remedy: string;
} & (
  | { readonly mechanism: 'OAUTHBEARER'; token(): Promise<AccessToken> }
  | { readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; account(): Promise<Account> }
);

/** What connecting to the brokers takes beside TLS. */
export interface BrokerAccess {
  /** Null where TLS says who connects, or nobody does. */
  readonly signIn: BrokerSignIn | null;
  /** Brokers to begin with. Throws `AuthenticationError` where only the service key says them, and there is none. */
  bootstrapBrokers(): Promise<ResolvedConnection['bootstrapBrokers']>;
  /** To be told of each connection that is ready: somebody is where the brokers were said to be. */
  answered(): void;
  /** Who is signed in, for messages; null where only the broker knows. */
  principal(): string | null;
  /** Ends renewals. */
  close(): void;
}

/** Nothing is asked of anybody before it is needed. Throws `ConfigurationError`. */
export function openBrokerAccess(
  { auth, bootstrapBrokers }: Pick<ResolvedConnection, 'auth' | 'bootstrapBrokers'>,
  diagnostics: Diagnostics,
): BrokerAccess {
  const known = {
    bootstrapBrokers: async () => bootstrapBrokers,
    answered: () => {},
    principal: () => null,
  };
  switch (auth.type) {
    case 'globus':
    case 'token': {
      const remedy = 'Check that the token is for this cluster, and that its identity may use it.';
      return { ...known, ...byToken(openTokenSource({ auth, diagnostics }), remedy) };
    }
    case 'aws-iam': {
      const remedy =
        "Check the access key, its region and its policy (kafka-cluster:Connect), and this machine's clock.";
      return { ...known, ...byToken(openTokenSource({ auth, diagnostics }), remedy) };
    }
    case 'scram': {
      const { mechanism, username, password } = auth;
      const signIn: BrokerSignIn = {
        mechanism,
        account: async () => ({ username, password }),
        refused: () => {},
        remedy: 'Check auth.username and auth.password.',
      };
      return { ...known, signIn, principal: () => username, close: () => {} };
    }
    case 'diaspora':
      return byServiceKey(auth, bootstrapBrokers, diagnostics);
    default:
      return { ...known, signIn: null, close: () => {} };
  }
}

function byToken(source: TokenSource, remedy: string): Pick<BrokerAccess, 'signIn' | 'close'> {
  return {
    signIn: {
      mechanism: 'OAUTHBEARER',
      token: () => source.token(),
      refused: (value) => source.refused(value),
      remedy,
    },
    close: () => source.close(),
  };
}

const keyRemedy =
  'The service key may be so new that the brokers do not know it yet, or a newer one may have been made elsewhere.';

/** Brokers are taken for being elsewhere after so many attempts that none answered. */
const attemptsUnanswered = 3;

function byServiceKey(
  auth: ResolvedDiaspora,
  bootstrapBrokers: ResolvedConnection['bootstrapBrokers'],
  diagnostics: Diagnostics,
): BrokerAccess {
  const { apiVersion, region, subject } = auth;
  const keys = openServiceKeySource({ auth, diagnostics });
  const key = async (): Promise<ServiceKey> => {
    try {
      return await keys.key();
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      // Whoever signs in knows one kind of failure; the source has said this one.
      throw new AuthenticationError(error.code, error.message, error.retriable, { cause: error });
    }
  };
  /** What was shown to brokers last: a refusal that comes late is that of an earlier key. */
  let shown: { readonly secret: string; readonly key: ServiceKey } | null = null;
  /** How often brokers were asked for in a row, and none has answered. */
  let inVain = 0;
  const answered = (): void => {
    inVain = 0;
  };
  const refuse = (secret: string): void => {
    answered();
    if (shown?.secret === secret) keys.refused(shown.key);
  };
  const tokens = new RenewingToken(async () => {
    const present = await key();
    if (present.version !== 'v3') throw otherVersion();
    const { accessKey: accessKeyId, secretKey: secretAccessKey } = present;
    const token = signMskToken({ region, accessKeyId, secretAccessKey });
    shown = { secret: token.value, key: present };
    return token;
  });
  const signIn: BrokerSignIn =
    apiVersion === 'v3'
      ? {
          mechanism: 'OAUTHBEARER',
          token: () => tokens.token(),
          refused: (value) => {
            refuse(value);
            tokens.refused(value);
          },
          remedy: keyRemedy,
        }
      : {
          mechanism: 'SCRAM-SHA-512',
          account: async () => {
            const present = await key();
            if (present.version !== 'v1') throw otherVersion();
            const { username, secretKey: password } = present;
            shown = { secret: password, key: present };
            return { username, password };
          },
          refused: refuse,
          remedy: keyRemedy,
        };
  return {
    signIn,
    answered,
    principal: () => subject ?? (shown?.key.version === 'v1' ? shown.key.username : null),
    async bootstrapBrokers() {
      if (bootstrapBrokers.length > 0) return bootstrapBrokers;
      const { endpoint } = await key();
      const named = parseBrokers(endpoint ?? '');
      inVain += 1;
      if (named.length === 0 || inVain > attemptsUnanswered) keys.unreachable();
      if (named.length > 0) return named;
      const message =
        'The service key does not say where the brokers are: put it once more, by "npx diaspora-logger keys put" with --endpoint, or set the option "bootstrapBrokers" or the environment variable DIASPORA_BOOTSTRAP, to host:port.';
      diagnostics.emit('SERVICE_REFUSED', message);
      throw new AuthenticationError('SERVICE_REFUSED', message, false);
    },
    close() {
      tokens.close();
      keys.close();
    },
  };
}

/** The source hands out keys of the version that `auth` asks for. */
const otherVersion = (): Error => new Error('The service key is one of another version.');
