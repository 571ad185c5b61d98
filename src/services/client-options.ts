/** Options of the service client, checked, with defaults and environment filled in. */
import { ConfigurationError, ServiceError } from '../errors.ts';
import {
  type DiasporaOptions,
  type Environment,
  moduleUrl,
  parseTransportParts,
  type ResolvedDiaspora,
  resolveDiaspora,
} from '../options.ts';

/** Every field has a default: after one sign-in none is needed. */
export interface DiasporaClientOptions extends Readonly<DiasporaOptions> {
  /** Allows the access token over plain HTTP to a service that is not on this machine. Default false: whoever is in between could use it. */
  readonly allowInsecureToken?: boolean;
  /** Deadline of one request, in milliseconds, 1 to 600,000. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** `stderr`, `silent`, or a module whose default export receives each event. Default `silent`: what fails is thrown. */
  readonly diagnostics?: string;
  /** Default `process.env`. */
  readonly env?: Environment;
}

export interface ResolvedClient {
  readonly auth: ResolvedDiaspora;
  readonly requestTimeoutMs: number;
  /** `stderr`, `silent`, or the URL of a module. */
  readonly diagnostics: string;
  readonly env: Environment;
}

/** Throws `ConfigurationError`. */
export function resolveClient(options: DiasporaClientOptions): ResolvedClient {
  const { env = process.env, requestTimeoutMs = 10_000, ...others } = options;
  if (
    !Number.isSafeInteger(requestTimeoutMs) ||
    requestTimeoutMs < 1 ||
    requestTimeoutMs > 600_000
  ) {
    throw new ConfigurationError(
      'Option "requestTimeoutMs" takes a whole number of milliseconds from 1 to 600,000.',
      'requestTimeoutMs',
    );
  }
  const { allowInsecureToken, diagnostics = 'silent', ...auth } = others;
  try {
    const { connection } = parseTransportParts({
      auth: { ...auth, type: 'diaspora' },
      allowInsecureToken,
      diagnostics,
    });
    const isModule = diagnostics !== 'stderr' && diagnostics !== 'silent';
    return {
      auth: resolveDiaspora(
        connection.auth?.type === 'diaspora' ? connection.auth : {},
        env,
        connection.allowInsecureToken ?? false,
      ),
      requestTimeoutMs,
      diagnostics: isModule ? moduleUrl('diagnostics', diagnostics) : diagnostics,
      env,
    };
  } catch (error) {
    throw inOwnWords(error);
  }
}

/** The error as the client says it: here the options of `auth` stand by themselves. */
export function inOwnWords(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes('"auth.')) return error;
  const message = error.message.replaceAll('"auth.', '"');
  if (error instanceof ConfigurationError) {
    return new ConfigurationError(message, error.option?.replace(/^auth\./, ''));
  }
  return error instanceof ServiceError
    ? new ServiceError(error.code, message, error, error)
    : error;
}
