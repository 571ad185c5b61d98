import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uncheckedTls } from '../../../src/broker-faults.ts';
import { ConfigurationError } from '../../../src/errors.ts';
import { resolveTls } from '../../../src/options/tls.ts';
import { resolveProducer } from '../../../src/options.ts';
import { createCertificates } from '../../../stack/certificates.ts';

const passphrase = 'hunter2 hunter2';
let directory: string;
/** Paths. */
let files: Record<
  'cert' | 'key' | 'otherKey' | 'encryptedKey' | 'pfx' | 'oldPfx' | 'openPfx' | 'damaged',
  string
>;

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'diaspora-tls-'));
  const place = (name: string): string => join(directory, name);
  files = {
    cert: place('cert.pem'),
    key: place('key.pem'),
    otherKey: place('other-key.pem'),
    encryptedKey: place('encrypted-key.pem'),
    pfx: place('client.p12'),
    oldPfx: place('old.p12'),
    openPfx: place('open.p12'),
    damaged: place('damaged.p12'),
  };
  const { client, broker } = await createCertificates('instrument');
  writeFileSync(files.cert, client.certificate);
  writeFileSync(files.key, client.key);
  writeFileSync(files.otherKey, broker.key);
  writeFileSync(files.damaged, 'what is no PKCS12');
  const pkcs12 = ['pkcs12', '-export', '-in', files.cert, '-inkey', files.key];
  openssl(...pkcs12, '-out', files.pfx, '-passout', `pass:${passphrase}`);
  openssl(...pkcs12, '-out', files.oldPfx, '-passout', `pass:${passphrase}`, '-legacy');
  openssl(...pkcs12, '-out', files.openPfx, '-passout', 'pass:');
  const pkcs8 = ['pkcs8', '-topk8', '-in', files.key, '-out', files.encryptedKey];
  openssl(...pkcs8, '-passout', `pass:${passphrase}`);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function tlsOf(tls: object, env: Record<string, string> = {}) {
  return resolveProducer({ bootstrapBrokers: 'localhost:1', auth: { type: 'mtls' }, tls }, env).tls;
}

function refusalOf(tls: object, env: Record<string, string> = {}): ConfigurationError {
  try {
    tlsOf(tls, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('a client certificate', () => {
  it('comes from PEM files, from a key with a passphrase, or from PKCS12', () => {
    const { cert, key, encryptedKey, pfx, openPfx } = files;
    expect(tlsOf({ cert, key })).toMatchObject({ cert: expect.stringContaining('BEGIN CERT') });
    expect(tlsOf({ cert, key: encryptedKey, passphrase })).toMatchObject({ passphrase });
    expect(tlsOf({ pfx, passphrase })).toMatchObject({ pfx: expect.any(Buffer), passphrase });
    expect(tlsOf({ pfx: openPfx })).not.toHaveProperty('passphrase');
  });

  it.each([
    ['a passphrase with nothing to open', () => ({ passphrase }), 'tls.passphrase'],
    [
      'PKCS12 beside PEM',
      () => ({ pfx: files.openPfx, cert: files.cert, key: files.key }),
      'tls.pfx',
    ],
    ['PKCS12 beside a key', () => ({ pfx: files.openPfx, key: files.key }), 'tls.pfx'],
  ])('is not half read: %s is refused', (_what, tls, option) => {
    const error = refusalOf(tls());
    expect(error).toMatchObject({ option, message: expect.stringMatching(/beside it|leave out/) });
    expect(error.message).not.toContain(passphrase);
  });

  it('leaves a passphrase in the environment alone where there is nothing to open', () => {
    const env = { DIASPORA_TLS_PASSPHRASE: passphrase };
    expect(resolveTls({ ca: files.cert }, env)).not.toHaveProperty('passphrase');
  });

  it('has its passphrase from the environment where none is given', () => {
    const env = { DIASPORA_TLS_PASSPHRASE: passphrase };
    expect(tlsOf({ pfx: files.pfx }, env)).toMatchObject({ passphrase });
    expect(tlsOf({ cert: files.cert, key: files.encryptedKey }, env)).toMatchObject({ passphrase });
    const wrong = { DIASPORA_TLS_PASSPHRASE: 'another' };
    expect(tlsOf({ pfx: files.pfx, passphrase }, wrong)).toMatchObject({ passphrase });
  });

  it.each<[string, () => object, string, string]>([
    [
      'PKCS12 without its passphrase',
      () => ({ pfx: files.pfx }),
      'tls.pfx has a passphrase: set tls.passphrase or DIASPORA_TLS_PASSPHRASE.',
      'tls.passphrase',
    ],
    [
      'PKCS12 with another passphrase',
      () => ({ pfx: files.pfx, passphrase: 'another' }),
      'The passphrase of tls.pfx is another one: check tls.passphrase or DIASPORA_TLS_PASSPHRASE.',
      'tls.passphrase',
    ],
    [
      'a key without its passphrase',
      () => ({ cert: files.cert, key: files.encryptedKey }),
      'tls.key has a passphrase: set tls.passphrase or DIASPORA_TLS_PASSPHRASE.',
      'tls.passphrase',
    ],
    [
      'a key with another passphrase',
      () => ({ cert: files.cert, key: files.encryptedKey, passphrase: 'another' }),
      'The passphrase of tls.key is another one: check tls.passphrase or DIASPORA_TLS_PASSPHRASE.',
      'tls.passphrase',
    ],
    [
      'the key of another certificate',
      () => ({ cert: files.cert, key: files.otherKey }),
      'tls.key is not the key of tls.cert.',
      'tls.key',
    ],
    [
      'a certificate alone',
      () => ({ cert: files.cert }),
      'tls.cert needs tls.key beside it.',
      'tls.key',
    ],
    ['a key alone', () => ({ key: files.key }), 'tls.key needs tls.cert beside it.', 'tls.cert'],
    [
      'PKCS12 of an old form',
      () => ({ pfx: files.oldPfx, passphrase }),
      'tls.pfx is encrypted in an old way that Node\'s OpenSSL does not read: write it anew, by "openssl pkcs12 -legacy -in old.p12 -noenc -out all.pem" and "openssl pkcs12 -export -in all.pem -out new.p12".',
      'tls.pfx',
    ],
    [
      'what is no PKCS12',
      () => ({ pfx: files.damaged, passphrase }),
      'tls.pfx: the file is no PKCS12 that can be used (not enough data).',
      'tls.pfx',
    ],
  ])('is refused at start: %s', (_what, tls, message, option) => {
    const error = refusalOf(tls());
    expect(error).toMatchObject({ message, option });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(passphrase);
  });

  it('can be read again as the advice for PKCS12 of an old form has it', () => {
    const all = join(directory, 'all.pem');
    const renewed = join(directory, 'new.p12');
    const [from, to] = [`pass:${passphrase}`, `pass:${passphrase}`];
    openssl('pkcs12', '-legacy', '-in', files.oldPfx, '-noenc', '-out', all, '-passin', from);
    openssl('pkcs12', '-export', '-in', all, '-out', renewed, '-passout', to);
    expect(tlsOf({ pfx: renewed, passphrase })).toMatchObject({ passphrase });
  });
});

describe('a check of the broker that is off', () => {
  const resolved = (tls: object) =>
    resolveProducer({ bootstrapBrokers: 'localhost:1', auth: { type: 'none' }, tls }, {}).tls;

  it('is none by default, and where it is on by name', () => {
    expect(uncheckedTls(null)).toBeNull();
    expect(uncheckedTls(resolved({}))).toBeNull();
    const on = resolved({ checkHostname: true, rejectUnauthorized: true });
    expect(uncheckedTls(on)).toBeNull();
    expect(on).not.toHaveProperty('checkServerIdentity');
  });

  it('is said: that of the name, and that of all', () => {
    expect(uncheckedTls(resolved({ checkHostname: false }))).toMatchObject({
      code: 'TLS_CHECK_OFF',
      message: expect.stringMatching(
        /^tls\.checkHostname is false: .* set tls\.servername to one\.$/,
      ),
    });
    for (const checkHostname of [true, false]) {
      expect(uncheckedTls(resolved({ rejectUnauthorized: false, checkHostname }))).toMatchObject({
        code: 'TLS_CHECK_OFF',
        message: expect.stringMatching(/^tls\.rejectUnauthorized is false: .* Set tls\.ca to /),
      });
    }
  });

  it('has a name that is near to what people write', () => {
    expect(() => resolved({ checkHostName: false })).toThrow(
      'Unknown option "tls.checkHostName". Did you mean "tls.checkHostname"?',
    );
  });
});
