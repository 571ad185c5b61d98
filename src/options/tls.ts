/** TLS, with files read and the environment filled in. */
import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { ConfigurationError, systemErrorCode } from '../errors.ts';
import { nonEmpty } from './environment.ts';
import { looksLikePath } from './refusal.ts';
import type { Environment, TlsOptions } from './types.ts';

/** Null for plain text. Throws `ConfigurationError`, also for a certificate and a key that cannot be used. */
export function resolveTls(
  given: boolean | TlsOptions,
  env: Environment,
): TlsConnectionOptions | null {
  if (given === false) return null;
  const options: TlsOptions = given === true ? {} : given;
  const ca = options.ca ?? nonEmpty(env['DIASPORA_CA_FILE']);
  const needsPassphrase = options.pfx !== undefined || options.key !== undefined;
  // As it is: a passphrase may begin or end with spaces.
  const passphrase =
    options.passphrase ??
    (needsPassphrase ? env['DIASPORA_TLS_PASSPHRASE'] || undefined : undefined);
  const resolved = {
    ...(ca !== undefined && { ca: pem(options.ca ? 'tls.ca' : 'DIASPORA_CA_FILE', ca) }),
    ...(options.cert !== undefined && { cert: pem('tls.cert', options.cert) }),
    ...(options.key !== undefined && { key: pem('tls.key', options.key) }),
    ...(options.pfx !== undefined && { pfx: read('tls.pfx', options.pfx, 'no readable file') }),
    ...(passphrase !== undefined && { passphrase }),
  };
  requireUsable(resolved);
  return {
    ...resolved,
    ...(options.servername !== undefined && { servername: options.servername }),
    // Node checks the chain all the same: only the name is left out.
    ...(options.checkHostname === false && { checkServerIdentity: () => undefined }),
    ...(options.rejectUnauthorized !== undefined && {
      rejectUnauthorized: options.rejectUnauthorized,
    }),
  };
}

interface KeyMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly pfx?: Buffer;
  readonly passphrase?: string;
}

/** Once here, instead of at each connection, whichever client makes it. Without certificate and key there is nothing that Node would refuse. */
function requireUsable(material: KeyMaterial): void {
  const { cert, key, pfx, passphrase } = material;
  if (cert === undefined && key === undefined && pfx === undefined) {
    if (passphrase === undefined) return;
    throw new ConfigurationError(
      'tls.passphrase needs tls.key or tls.pfx beside it.',
      'tls.passphrase',
    );
  }
  if (pfx !== undefined && (cert !== undefined || key !== undefined)) {
    throw new ConfigurationError(
      'tls.pfx holds certificate and key: leave out tls.cert and tls.key, or tls.pfx.',
      'tls.pfx',
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    const [set, missing] = cert === undefined ? ['tls.key', 'tls.cert'] : ['tls.cert', 'tls.key'];
    throw new ConfigurationError(`${set} needs ${missing} beside it.`, missing);
  }
  try {
    createSecureContext(material);
  } catch (cause) {
    throw unusable(material, cause);
  }
}

/** What is wrong with certificate and key, by OpenSSL's words, of which none is a secret. */
function unusable({ pfx, passphrase }: KeyMaterial, cause: unknown): ConfigurationError {
  const said = cause instanceof Error ? cause.message : String(cause);
  const key = pfx === undefined ? 'tls.key' : 'tls.pfx';
  const refuse = (message: string, option: string): ConfigurationError =>
    new ConfigurationError(message, option, { cause });
  if (/mac verify failure|bad decrypt|bad password/i.test(said)) {
    const what =
      passphrase === undefined
        ? `${key} has a passphrase: set`
        : `The passphrase of ${key} is another one: check`;
    return refuse(`${what} tls.passphrase or DIASPORA_TLS_PASSPHRASE.`, 'tls.passphrase');
  }
  if (/key values mismatch/i.test(said)) {
    return refuse('tls.key is not the key of tls.cert.', 'tls.key');
  }
  if (/Unsupported PKCS12/i.test(said)) {
    return refuse(
      `tls.pfx is encrypted in an old way that Node's OpenSSL does not read: write it anew, by "openssl pkcs12 -legacy -in old.p12 -noenc -out all.pem" and "openssl pkcs12 -export -in all.pem -out new.p12".`,
      'tls.pfx',
    );
  }
  if (pfx !== undefined) {
    return refuse(`tls.pfx: the file is no PKCS12 that can be used (${said}).`, 'tls.pfx');
  }
  return refuse(`tls: certificate, key or authority cannot be used (${said}).`, 'tls');
}

function pem(option: string, value: string): string {
  if (value.includes('-----BEGIN ')) return value;
  const content = read(
    option,
    value,
    'neither PEM text ("-----BEGIN …") nor a readable file',
  ).toString('latin1');
  if (content.includes('-----BEGIN ')) return content;
  throw new ConfigurationError(`${option}: the file holds no PEM ("-----BEGIN …").`, option);
}

/** Throws a `ConfigurationError` that names the path only where it can be nothing else: `value` may be the secret itself. */
function read(option: string, value: string, unlike: string): Buffer {
  try {
    return readFileSync(value);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'no code';
    const why = looksLikePath(value) ? `cannot read the file ${value}` : `the value is ${unlike}`;
    throw new ConfigurationError(`${option}: ${why} (${code}).`, option);
  }
}
