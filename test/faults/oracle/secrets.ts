/** Searches a text for secrets, in every form in which a program may have printed them. */
import type { Secret } from '../../../stack/secrets.ts';

/** A shorter piece would be found in texts that have nothing to do with it. */
const leastCharacters = 8;

/** How a text can be written, by what a person calls it. Plain first: a form that changes nothing is plain. */
const forms: readonly (readonly [name: string, write: (text: string) => readonly string[]])[] = [
  ['as it is', (text) => [text]],
  ['escaped for JSON', (text) => [JSON.stringify(text).slice(1, -1)]],
  ['URL-encoded', urlEncoded],
  ['in base64', (text) => base64(text, 'base64')],
  ['in base64url', (text) => base64(text, 'base64url')],
  ['in hexadecimal', (text) => [hex(text), hex(text).toUpperCase()]],
];

/**
 * Throws where a secret is in the text, whole or by half: says of which kind it is, in which form and line, and
 * nothing of itself.
 */
export function expectNoSecrets(secrets: Iterable<Secret>, text: string): void {
  for (const { kind, value } of secrets) {
    for (const [part, piece] of piecesOf(value)) {
      for (const [form, write] of forms) {
        const at = write(piece)
          .map((written) => text.indexOf(written))
          .find((index) => index >= 0);
        if (at === undefined) continue;
        const line = text.slice(0, at).split('\n').length;
        throw new Error(`Line ${line} of what was printed holds ${kind}: ${part}, ${form}.`);
      }
    }
  }
}

/** Halves find what was cut at either end, such as a token without its first characters. */
function piecesOf(secret: string): (readonly [part: string, piece: string])[] {
  const wholes = secret.includes('-----BEGIN ') ? linesOfPem(secret) : [secret];
  return wholes.flatMap((whole) => {
    if (whole.length < leastCharacters) throw new Error('A secret is too short to search for.');
    const middle = Math.ceil(whole.length / 2);
    const pieces = [
      ['all of it', whole],
      ['its first half', whole.slice(0, middle)],
      ['its second half', whole.slice(-middle)],
    ] as const;
    return pieces.filter(([, piece]) => piece.length >= leastCharacters);
  });
}

/** The body, without the lines that every key has: in one, and line by line. */
function linesOfPem(pem: string): string[] {
  const lines = pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  return [lines.join(''), ...lines.filter((line) => line.length >= leastCharacters)];
}

/** With a space as `%20` and as `+`, and by either case of the digits. */
function urlEncoded(text: string): string[] {
  const forms = [encodeURIComponent(text), new URLSearchParams({ text }).toString().slice(5)];
  return [
    ...forms,
    ...forms.map((form) => form.replaceAll(/%[\dA-F]{2}/g, (code) => code.toLowerCase())),
  ];
}

/** Within a longer text too: three bytes become four characters, so where the text begins counts. */
function base64(text: string, alphabet: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
    const written = bytes.toString(alphabet).replace(/=+$/, '');
    // What is made of these bytes alone: characters at both ends may share bits with what is around them.
    const first = Math.ceil((before * 8) / 6);
    return written.slice(first, Math.floor((bytes.length * 8) / 6));
  });
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}
