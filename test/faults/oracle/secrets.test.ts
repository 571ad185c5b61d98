import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Globus, startGlobus } from '../../../stack/globus.ts';
import { onSecret, type Secret } from '../../../stack/secrets.ts';
import { expectNoSecrets } from './secrets.ts';

/** Of characters that each form writes in its own way, too. */
const secretText = fc.string({
  unit: fc.constantFrom(...'abcXYZ0189-_ +/=%&"\\'),
  minLength: 16,
  maxLength: 60,
});
/** Shares no character with a secret, nor with what a form makes of it. */
const around = fc.string({ unit: fc.constantFrom(...'éñöü\n'), maxLength: 20 });

const written: Readonly<Record<string, (secret: string, before: string) => string>> = {
  'as it is': (secret) => secret,
  'within an URL': (secret) => `https://h/?a=b&token=${encodeURIComponent(secret)}&c=d`,
  'within a form': (secret) => String(new URLSearchParams({ a: 'b', token: secret, c: 'd' })),
  'within an URL, by lower case digits': (secret) =>
    encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
  'within JSON': (secret) => JSON.stringify({ a: 1, token: secret, b: 2 }),
  'in base64': (secret, before) => Buffer.from(`${before}${secret}éñ`).toString('base64'),
  'in base64url': (secret, before) => Buffer.from(`${before}${secret}éñ`).toString('base64url'),
  'in a header of Basic authentication': (secret) =>
    `Basic ${Buffer.from(`id:${secret}`).toString('base64')}`,
  'in hexadecimal': (secret, before) => Buffer.from(before + secret).toString('hex'),
  'in upper case hexadecimal': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
};

const kind = 'a refresh token';

describe('The search for secrets', () => {
  for (const [how, write] of Object.entries(written)) {
    it(`finds one that is written ${how}`, () => {
      const property = fc.property(secretText, around, around, (value, before, after) => {
        const text = `${before}${write(value, before)}${after}`;
        expect(() => expectNoSecrets([{ kind, value }], text)).toThrow(kind);
      });
      fc.assert(property, { numRuns: 200 });
    });

    it(`finds one without its first or last third that is written ${how}`, () => {
      const property = fc.property(secretText, around, fc.boolean(), (value, before, fromStart) => {
        const third = Math.floor(value.length / 3);
        const cut = fromStart ? value.slice(third) : value.slice(0, -third);
        expect(() => expectNoSecrets([{ kind, value }], write(cut, before))).toThrow('half');
      });
      fc.assert(property, { numRuns: 200 });
    });
  }

  it('says of which kind it is, in which form and line, and not what it is', () => {
    const value = 'w9Xq/2kfJ0pLm+7Z';
    const text = `one\ntwo ${encodeURIComponent(value)}\nthree`;
    const search = (): void => expectNoSecrets([{ kind, value }], text);
    expect(search).toThrow(
      /^Line 2 of what was printed holds a refresh token: all of it, URL-encoded\.$/,
    );
  });

  it('finds each line of a private key, and the key within JSON', () => {
    const lines = ['MIGHAgEAMBMGByqGSM49Ag', 'q83vEjRWeJCrze8SNFZ4kA', 'kJq7zN3u/xAgMEBQYHCAkA'];
    const value = `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
    const key: Secret = { kind: 'a private key', value };
    const texts = [...lines, lines.join(''), JSON.stringify({ key: value })];
    for (const text of texts) {
      expect(() => expectNoSecrets([key], text)).toThrow('a private key');
    }
    expect(() => expectNoSecrets([key], '-----BEGIN PRIVATE KEY-----')).not.toThrow();
  });

  it('finds nothing where there is nothing', () => {
    const line = fc.string({ unit: 'grapheme-ascii', maxLength: 500 });
    // Alphabets that have no character in common.
    const property = fc.property(line, (text) => {
      const value = 'ÄÖÜßÄÖÜßÄÖÜßÄÖÜß';
      expect(() => expectNoSecrets([{ kind, value }], text)).not.toThrow();
    });
    fc.assert(property);
  });

  it('knows what the Globus stand-in issues', async () => {
    const secrets: Secret[] = [];
    const stop = onSecret((secret) => secrets.push(secret));
    let globus: Globus | undefined;
    try {
      globus = await startGlobus();
      const { accessToken, refreshToken } = await globus.signIn();
      expect(() => expectNoSecrets(secrets, `${refreshToken}`)).toThrow('a refresh token');
      expect(() => expectNoSecrets(secrets, `${accessToken}`)).toThrow('an access token');
      const { clientSecret } = globus.resourceServer;
      expect(() => expectNoSecrets(secrets, clientSecret)).toThrow('a client secret');
    } finally {
      stop();
      await globus?.stop();
    }
  });
});
