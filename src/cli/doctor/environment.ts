/** What the environment sets: names, and values where they are no secrets and nothing looks like one. */
import { existsSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import type { Environment } from '../../options.ts';
import { isTokenLike as isTokenLikeTopic } from '../topic-name.ts';
import type { Note } from './advice.ts';
import { type Finding, ok, warning } from './examination.ts';

/** How a variable's value is shown. */
type Shown = 'secret' | 'value' | 'file' | 'url';

/** Every variable that the package knows. */
export const knownVariables: Readonly<Record<string, Shown>> = {
  DIASPORA_BOOTSTRAP: 'value',
  DIASPORA_TOPIC: 'value',
  DIASPORA_REFRESH: 'secret',
  DIASPORA_REFRESH_FILE: 'file',
  DIASPORA_ISSUER: 'url',
  DIASPORA_SDK_CLIENT_ID: 'value',
  DIASPORA_SDK_CLIENT_SECRET: 'secret',
  DIASPORA_SDK_ENVIRONMENT: 'value',
  DIASPORA_SERVICE_URL: 'url',
  DIASPORA_SUBJECT: 'value',
  DIASPORA_USER_DIR: 'file',
  DIASPORA_CA_FILE: 'file',
  DIASPORA_TLS_PASSPHRASE: 'secret',
  DIASPORA_USERNAME: 'value',
  DIASPORA_PASSWORD: 'secret',
  DIASPORA_ACCESS_TOKEN: 'secret',
  // The Python SDK's.
  DIASPORA_SCOPE: 'value',
  AWS_ACCESS_KEY_ID: 'secret',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_SESSION_TOKEN: 'secret',
  AWS_REGION: 'value',
  AWS_DEFAULT_REGION: 'value',
  AWS_PROFILE: 'value',
  HTTPS_PROXY: 'url',
  https_proxy: 'url',
  NO_PROXY: 'value',
  no_proxy: 'value',
  NODE_EXTRA_CA_CERTS: 'file',
  NODE_TLS_REJECT_UNAUTHORIZED: 'value',
};

/** Kept as they are, blanks included. */
const verbatim: ReadonlySet<string> = new Set(['DIASPORA_PASSWORD', 'DIASPORA_TLS_PASSPHRASE']);

export function examineEnvironment(env: Environment): Finding<true> {
  const set = Object.keys(knownVariables).filter((name) => env[name] !== undefined);
  const shown = set.map((name) => `${name} ${shownValue(name, env[name] ?? '')}`);
  const doubts = [...set.flatMap((name) => doubtsOf(name, env[name] ?? '')), ...among(env)];
  const all = shown.length === 0 ? ['none of the variables that matter is set'] : shown;
  return doubts.length === 0 ? ok(true, ...all) : warning(true, ...all, ...doubts);
}

function shownValue(name: string, value: string): string {
  switch (knownVariables[name]) {
    case 'value':
      // No name, address or region is so long, and tokens are.
      return value.length <= 200 && /^[\w.:,*@/[\] -]*$/.test(value) && !isTokenLike(name, value)
        ? value
        : '(not shown)';
    case 'file':
      return existsSync(value) ? value : '(no such file)';
    case 'url':
      return URL.canParse(value) ? new URL(value).origin : '(no URL)';
    default:
      return '(set)';
  }
}

/** Brokers and lists of hosts have dots, colons and commas; what else is so long is a token in the wrong place. Topics may be as long. */
const isTokenLike = (name: string, value: string): boolean =>
  name === 'DIASPORA_TOPIC' ? isTokenLikeTopic(value) : /^[\w+/=-]{37,}$/.test(value);

function doubtsOf(name: string, value: string): Note[] {
  const advice = (what: string): Note => ({ text: `${name} ${what}`, advice: `Set ${name} anew.` });
  if (value.trim() === '') return [advice('is set to nothing, which counts as not set')];
  if (/^(["']).*\1$/s.test(value.trim())) {
    return [advice('is in quotes, and they count: Docker and systemd keep them')];
  }
  if (/[\r\n]/.test(value.trim())) return [advice('holds a line break')];
  if (/[\p{Cf}\u00a0]/u.test(value)) {
    return [advice('holds characters that nobody sees, as copied from a web page')];
  }
  if (value !== value.trim()) {
    return [advice(`begins or ends with blanks${verbatim.has(name) ? ', and they count' : ''}`)];
  }
  if (knownVariables[name] === 'file' && name !== 'DIASPORA_USER_DIR' && !existsSync(value)) {
    return [
      {
        text: `${name} names a file that is not there, seen from ${process.cwd()}`,
        advice:
          name === 'DIASPORA_REFRESH_FILE'
            ? 'Name the file that holds the token. The token itself goes into DIASPORA_REFRESH.'
            : 'Name a file that is there.',
      },
    ];
  }
  return [];
}

/** What only several variables tell together, or one that nobody knows. */
function among(env: Environment): Note[] {
  const notes: Note[] = Object.keys(env)
    .filter((name) => name.startsWith('DIASPORA_') && !(name in knownVariables))
    .map((name) => ({
      text: `${name} is no variable of this package`,
      advice: `Did you mean ${nearest(name)}?`,
    }));
  if (env['DIASPORA_REFRESH']?.trim() && env['DIASPORA_REFRESH_FILE']?.trim()) {
    notes.push({
      text: 'DIASPORA_REFRESH and DIASPORA_REFRESH_FILE are both set: the first one counts, and the file only once that is dead',
      advice: 'Unset one of them.',
    });
  }
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    notes.push({
      text: "NODE_TLS_REJECT_UNAUTHORIZED=0: no certificate is checked, not even Globus Auth's",
      advice: 'Unset it, and set DIASPORA_CA_FILE or NODE_EXTRA_CA_CERTS to the authority.',
    });
  }
  return notes;
}

function nearest(name: string): string {
  const own = Object.keys(knownVariables).filter((known) => known.startsWith('DIASPORA_'));
  return own.toSorted((a, b) => distance(name, a) - distance(name, b))[0] ?? '';
}
