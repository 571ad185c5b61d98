/** Access tokens for brokers that know AWS's identities: signed here, or by Amazon's own package. */
import { within } from '../deadline.ts';
import type { Diagnostics } from '../diagnostics.ts';
import { AuthenticationError } from '../errors.ts';
import type { ResolvedAwsIam } from '../options.ts';
import { signMskToken } from './msk-token.ts';
import { type AccessToken, RenewingToken } from './renewing-token.ts';

/**
 * Milliseconds that AWS's ways to find credentials may take: some ask other machines. Less than the 10 s that a connection waits
 * for its token, so that it is said by who knows what is missing.
 */
const defaultTimeoutMs = 9_000;

/** Finds credentials in files, containers and instances, and by single sign-on, and signs with them. */
const signer = 'aws-msk-iam-sasl-signer-js';

/** Nothing is signed or loaded before the first `token()`. */
export function openAwsTokenSource(
  auth: Omit<ResolvedAwsIam, 'type'>,
  diagnostics: Diagnostics,
  timeoutMs: number = defaultTimeoutMs,
): RenewingToken {
  const { region, credentials, profile } = auth;
  if (credentials !== null) {
    return new RenewingToken(async () => signMskToken({ region, ...credentials }));
  }
  const found = new FoundCredentials({ region, profile, diagnostics, timeoutMs });
  return new RenewingToken(() => found.token());
}

interface FoundCredentialsOptions {
  readonly region: string;
  /** Null: the first of AWS's usual places that has credentials. */
  readonly profile: string | null;
  readonly diagnostics: Diagnostics;
  readonly timeoutMs: number;
}

class FoundCredentials {
  readonly #options: FoundCredentialsOptions;

  constructor(options: FoundCredentialsOptions) {
    this.#options = options;
  }

  async token(): Promise<AccessToken> {
    const { timeoutMs } = this.#options;
    try {
      return await within(this.#sign(), {
        timeoutMs,
        late: () => this.#failure(`nothing within ${timeoutMs} ms`),
      });
    } catch (error) {
      if (error instanceof AuthenticationError) throw error;
      // Its message may hold a secret, such as what a credential process printed: the kind of error is all that is said.
      throw this.#failure(error instanceof Error ? error.name : typeof error);
    }
  }

  async #sign(): Promise<AccessToken> {
    const { region, profile } = this.#options;
    const { generateAuthToken, generateAuthTokenFromProfile } = await this.#load();
    const { token, expiryTime } =
      profile === null
        ? await generateAuthToken({ region })
        : await generateAuthTokenFromProfile({ region, awsProfileName: profile });
    return { value: token, expiresAt: expiryTime };
  }

  async #load(): Promise<typeof import('aws-msk-iam-sasl-signer-js')> {
    try {
      return await import('aws-msk-iam-sasl-signer-js');
    } catch (error) {
      const isMissing = error instanceof Error && error.message.includes(`'${signer}'`);
      if (!isMissing) throw error;
      throw this.#say(
        `Without an access key, auth.type "aws-iam" needs the package ${signer}: run "npm install ${signer}", or set auth.accessKeyId and auth.secretAccessKey.`,
      );
    }
  }

  #failure(why: string): AuthenticationError {
    const { profile } = this.#options;
    return this.#say(
      profile === null
        ? `No AWS credentials were found (${why}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or auth.profile, or give this machine or container a role.`
        : `AWS profile ${JSON.stringify(profile)} gives no credentials (${why}): check it in AWS's files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE), such as by "aws sts get-caller-identity --profile ${profile}".`,
    );
  }

  #say(message: string): AuthenticationError {
    this.#options.diagnostics.emit('AWS_CREDENTIALS_FAILED', message);
    return new AuthenticationError('AWS_CREDENTIALS_FAILED', message, true);
  }
}
