/** Gets what the next sign-in shows: a source that hangs or throws must hang and break nothing. */

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
    /** Milliseconds that it may take. */
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly aborted: () => Error;
    readonly report: Report;
  },
): Promise<Credentials> {
  const { timeoutMs, report } = options;
  const what = signIn.mechanism === 'OAUTHBEARER' ? 'token' : 'password';
  const code = what === 'token' ? 'TOKEN_ENDPOINT_UNAVAILABLE' : 'SERVICE_UNAVAILABLE';
  const failed = (message: string): AuthenticationError => {
    report(code, message);
    return new AuthenticationError(code, message, true);
  };
  // A source that throws before it makes its promise is no exception.
  const asked = (async () => ask(signIn))();
  try {
    return await within(asked, {
      ...options,
      late: () => failed(`No ${what} came within ${timeoutMs} ms. Check the ${what} source.`),
    });
  } catch (error) {
    // The package's own source has said what is wrong.
    if (error instanceof DiasporaError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw failed(`The ${what} source failed: ${why}. Check the ${what} source.`);
  }
}

async function ask(signIn: SignIn): Promise<Credentials> {
  const { mechanism, remedy } = signIn;
  if (mechanism === 'OAUTHBEARER') {
    const { value } = await signIn.token();
    return { mechanism, token: value, remedy };
  }
  const { username, password } = await signIn.account();
  return { mechanism, username, password, remedy };
}
