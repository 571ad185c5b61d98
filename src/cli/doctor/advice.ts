/** What was found, and what to do about it. */
import { DiasporaError } from '../../errors.ts';

export interface Note {
  readonly text: string;
  readonly advice?: string;
}

const signIn = 'Sign in: npx diaspora-logger request-token --save';

/** Where an error does not say it in a sentence of its own. */
const adviceByCode: Readonly<Record<string, string>> = {
  CONFIGURATION: 'Set it right where it was set: flags, the file of --config, or the environment.',
  CREDENTIALS_MISSING: signIn,
  REFRESH_TOKEN_INVALID: signIn,
  TOKEN_ENDPOINT_UNAVAILABLE:
    'Later it may work. If not: is Globus Auth reachable from here (network, firewall, HTTPS_PROXY)?',
  TOKEN_MODULE_FAILED: 'Mend the module that --token-module or auth.module names.',
  SERVICE_UNAVAILABLE:
    'Later it may work. If not: is the service reachable from here (DIASPORA_SERVICE_URL, network, HTTPS_PROXY)?',
  BROKER_UNREACHABLE:
    'Is the broker up, the port right, and no firewall in between? Compare with DIASPORA_BOOTSTRAP.',
  TIMED_OUT: 'Is the broker overloaded or frozen, or does a firewall swallow packets?',
  TOPIC_AUTHORIZATION_FAILED: 'Check its spelling; else claim it, or ask its owner for the right.',
};

export function noteOfError(error: unknown): Note {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DiasporaError)) return { text: message };
  const note = noteOf(message);
  const advice = note.advice ?? adviceByCode[error.code];
  return { ...note, ...(advice !== undefined && { advice }) };
}

/** The package's messages say what happened, and most in their last sentence what to do. */
export function noteOf(message: string): Note {
  const [, text, advice] = /^(.+\.\)?) ([A-Z][^.]*(?:\.\w[^.]*)*\.)$/s.exec(message) ?? [];
  return text === undefined || advice === undefined ? { text: message } : { text, advice };
}
