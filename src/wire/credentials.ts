/** Gets what the next sign-in shows: a token source that hangs or throws must hang and break nothing. */

import { within } from '../deadline.ts';
import type { DiagnosticCode } from '../diagnostics.ts';
import { AuthenticationError, DiasporaError } from '../errors.ts';
import type { Credentials, SignIn } from './sign-in.ts';

/** Says something to the operator. */
export type Report = (code: DiagnosticCode, message: string) => void;

/** Throws `AuthenticationError`, as the token source does or in its place; and what `aborted` makes. */
export async function credentialsFor(
  signIn: SignIn,
  options: {
    /** Milliseconds that a token may take. */
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly aborted: () => Error;
    readonly report: Report;
  },
): Promise<Credentials> {
  if (signIn.mechanism !== 'OAUTHBEARER') return signIn;
  const { timeoutMs, report } = options;
  const failed = (message: string): AuthenticationError => {
    report('TOKEN_ENDPOINT_UNAVAILABLE', message);
    return new AuthenticationError('TOKEN_ENDPOINT_UNAVAILABLE', message, true);
  };
  // A source that throws before it makes its promise is no exception.
  const asked = (async () => signIn.token())();
  try {
    const { value } = await within(asked, {
      ...options,
      late: () => failed(`No access token came within ${timeoutMs} ms. Check the token source.`),
    });
    return { mechanism: 'OAUTHBEARER', token: value };
  } catch (error) {
    // The package's own source has said what is wrong.
    if (error instanceof DiasporaError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw failed(`The token source failed: ${why}. Check the token source.`);
  }
}
