/** Words of a service, made fit for an error message: short, on one line, and without the secrets that it may repeat. */

const longest = 300;

/** So many characters of a secret in a row give something away. */
const enough = 8;

/** Characters as tokens and keys have them, in whatever encoding. */
const run = /[\w.~+/%=-]{8,}/g;

export function shownWords(words: string, secrets: readonly string[]): string {
  const forms = secrets.filter((secret) => secret.length >= enough).flatMap(encodings);
  const text = words
    .replace(run, (found) => (forms.some((form) => holds(found, form)) ? '[hidden]' : found))
    // Controls and invisible characters: a terminal obeys some of them.
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function encodings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = bytes.toString('base64').replace(/=+$/, '');
  return [
    secret,
    encodeURIComponent(secret),
    base64,
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ];
}

/** Whether the form, or so many characters of it in a row, are there: a service may cut what it repeats. */
function holds(found: string, form: string): boolean {
  const [text, secret] = [found.toLowerCase(), form.toLowerCase()];
  const length = Math.min(enough, secret.length);
  for (let at = 0; at + length <= secret.length; at += 1) {
    if (text.includes(secret.slice(at, at + length))) return true;
  }
  return false;
}
