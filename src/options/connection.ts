/** Brokers, TLS, sign-in and back-off, with defaults and environment filled in. */
import { ConfigurationError } from '../errors.ts';
import { resolveAuth } from './auth.ts';
import { resolveBrokers } from './brokers.ts';
import { moduleUrl } from './module-url.ts';
import { isLoopback } from './secure-url.ts';
import { resolveTls } from './tls.ts';
import type { ConnectionOptions, Environment, ResolvedAuth, ResolvedConnection } from './types.ts';

/** Ways to sign in that show the broker a token, which whoever is in between could use. */
const showsToken: ReadonlySet<ResolvedAuth['type']> = new Set([
  'globus',
  'token',
  'aws-iam',
  'diaspora',
]);

export function resolveConnection(given: ConnectionOptions, env: Environment): ResolvedConnection {
  const { allowInsecureToken = false } = given;
  const authOptions = given.auth ?? { type: 'globus' };
  const bootstrapBrokers = resolveBrokers(
    given.bootstrapBrokers,
    env,
    authOptions.type === 'diaspora',
  );
  const auth = resolveAuth(authOptions, env, allowInsecureToken);
  const tls = resolveTls(given.tls ?? true, env);
  if (auth.type === 'mtls' && !(tls?.pfx || (tls?.cert && tls.key))) {
    throw new ConfigurationError(
      'auth.type "mtls" needs a client certificate: set tls.cert and tls.key, or tls.pfx.',
      'tls',
    );
  }
  if (tls === null && showsToken.has(auth.type) && !allowInsecureToken) {
    requireLoopback(bootstrapBrokers);
  }
  const retry = { minMs: given.retry?.minMs ?? 100, maxMs: given.retry?.maxMs ?? 10_000 };
  if (retry.minMs > retry.maxMs) {
    throw new ConfigurationError(
      `Option "retry.minMs" (${retry.minMs}) is above "retry.maxMs" (${retry.maxMs}).`,
      'retry.minMs',
    );
  }
  const diagnostics = given.diagnostics ?? 'stderr';
  return {
    bootstrapBrokers,
    clientId: given.clientId ?? 'diaspora-logger',
    auth,
    tls,
    requestTimeoutMs: given.requestTimeoutMs ?? 30_000,
    retry,
    diagnostics:
      diagnostics === 'stderr' || diagnostics === 'silent'
        ? diagnostics
        : moduleUrl('diagnostics', diagnostics),
  };
}

/** Throws `ConfigurationError`. Where no broker is known yet, it may be any. */
function requireLoopback(bootstrapBrokers: ResolvedConnection['bootstrapBrokers']): void {
  const insecure = bootstrapBrokers.find(({ host }) => !isLoopback(host));
  if (insecure === undefined && bootstrapBrokers.length > 0) return;
  const to = insecure?.host ?? 'whichever broker the service key names';
  throw new ConfigurationError(
    `tls: false would send the access token in plain text to ${to}: leave tls on, or set allowInsecureToken: true.`,
    'tls',
  );
}
