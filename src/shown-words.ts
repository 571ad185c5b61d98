/** What a server says, made fit for an error message: short, on one line, and without the secrets that it may repeat. */

/** Characters of the answer, at most. */
const longest = 300;

/** So many characters of a secret in a row give something away. */
const enough = 8;

/** A character as tokens and keys have them, in whatever encoding: with a part of a secret goes all that hangs together with it. */
const ofToken = /[\w.~+/%=-]/;

export function shownWords(words: string, secrets: readonly string[]): string {
  const text = oneLine(words);
  const forms = secrets.map(oneLine).flatMap(formsOf);
  // Cut where the answer ends and no earlier than a secret that begins before: half of one is not known for what it is.
  const longestForm = Math.max(0, ...forms.map(({ length }) => length));
  const isSecret = markSecrets(text.slice(0, longest + longestForm), forms);
  let shown = '';
  for (let at = 0; at < Math.min(text.length, longest); at += 1) {
    if (!isSecret[at]) shown += text[at];
    else if (at === 0 || !isSecret[at - 1]) shown += '[hidden]';
  }
  return text.length > longest ? `${shown}…` : shown;
}

/** Without controls and invisible characters: a terminal obeys some of them. */
const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();

function formsOf(secret: string): string[] {
  if (secret.length < enough) return secret === '' ? [] : [secret];
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(bytes.toString()),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ];
}

/** Which characters of the text belong to a secret, or to a part of one that is long enough: a server may cut what it repeats. */
function markSecrets(text: string, forms: readonly string[]): boolean[] {
  const folded = folding(text);
  const parts = new Set(forms.map(folding).flatMap(partsOf));
  const marks = new Array<boolean>(folded.length).fill(false);
  for (const length of new Set([...parts].map((part) => part.length))) {
    for (let at = 0; at + length <= folded.length; at += 1) {
      if (parts.has(folded.slice(at, at + length))) marks.fill(true, at, at + length);
    }
  }
  const spread = (at: number, from: number): void => {
    if (marks[from] && ofToken.test(folded.charAt(at))) marks[at] = true;
  };
  for (let at = 1; at < marks.length; at += 1) spread(at, at - 1);
  for (let at = marks.length - 2; at >= 0; at -= 1) spread(at, at + 1);
  return marks;
}

/** Letters of ASCII alone: others may change their length. */
const folding = (text: string): string =>
  text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

function partsOf(form: string): string[] {
  const length = Math.min(enough, form.length);
  return Array.from({ length: form.length - length + 1 }, (_, at) => form.slice(at, at + length));
}
